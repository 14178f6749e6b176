"""One way to open an artifact of any format and predict with it. Each runtime is imported only when it is needed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from constrictor.errors import ConstrictorError
from constrictor.models.head import Head
from constrictor.models.manifest import Manifest, read_manifest
from constrictor.progress import log
from constrictor.runtimes.opened import Opened
from constrictor.runtimes.runtime import Runtime
from constrictor.tasks.registry import kind_of

Variant = Literal["sdpa", "eager", "compiled"]
"""How a torch model computes: with fused attention, with plain attention, or compiled for each shape."""


class Options(NamedTuple):
    """The arguments of :func:`load`, and the id of the padding token."""

    threads: int = 0
    bf16: bool = False
    variant: Variant = "sdpa"
    pad_id: int = 0


_DEFAULTS = Options()


def load(folder: Path, *, threads: int = 0, bf16: bool = False, variant: Variant = "sdpa") -> Runtime:
    """Open an artifact.

    Args:
        folder: the artifact's folder.
        threads: threads to compute with; 0 takes all cores.
        bf16: let a float32 torch model compute its matrix products in bf16 where the device does so natively and the kind of
            task tolerates it.
        variant: how a torch model computes.

    Raises:
        ConstrictorError: if the artifact is damaged or unfinished, or was not trained on a task.
    """
    return open_artifact(folder, read_manifest(folder), Options(threads, bf16, variant))


def open_artifact(folder: Path, manifest: Manifest, options: Options = _DEFAULTS) -> Runtime:
    """Open an artifact whose files are known to be whole.

    Raises:
        ConstrictorError: if it cannot be opened, or was not trained on a task.
    """
    kind = kind_of(manifest.trained_for())
    tokenizer = kind.tokenizer(folder)
    options = options._replace(bf16=options.bf16 and kind.tolerates_bf16, pad_id=tokenizer.pad_id)
    return Runtime(manifest, kind, tokenizer, _OPENERS[manifest.format](folder, manifest, kind.head, options))


def _use_threads(options: Options) -> None:
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)


def _open_torch(folder: Path, manifest: Manifest, head: Head, options: Options) -> Opened:
    import torch

    from constrictor.models.device import has_native_bf16
    from constrictor.models.torch_model import load_model
    from constrictor.runtimes.torch import opened

    _use_threads(options)
    dtypes = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    dtype = dtypes.get(manifest.precision)
    if dtype is None:
        raise ConstrictorError(
            f"the manifest in {folder} has the precision {manifest.precision!r}, and a torch model has one of "
            f"{', '.join(dtypes)}: it was changed. Delete it and run snakemake again: rm -r {folder}"
        )
    model = load_model(folder, head, manifest.trained_for().max_length, dtype=dtype).eval()
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    if options.variant == "eager":
        model.set_attn_implementation("eager")
    elif options.variant == "compiled":
        model.forward = torch.compile(model.forward)
    return opened(model, head, bf16=options.bf16 and manifest.precision == "fp32" and has_native_bf16())


def _open_torch_int8(folder: Path, manifest: Manifest, head: Head, options: Options) -> Opened:
    from constrictor.models.quantized.int8_model import load_int8
    from constrictor.runtimes.torch import opened

    _use_threads(options)
    return opened(load_int8(folder, head, manifest.shape), head)


def _open_bitsandbytes(folder: Path, manifest: Manifest, head: Head, options: Options) -> Opened:
    from constrictor.models.quantized.bitsandbytes import load_bnb
    from constrictor.runtimes.torch import opened

    _use_threads(options)
    return opened(load_bnb(folder, head, manifest.shape), head)


def _open_onnx(folder: Path, manifest: Manifest, head: Head, options: Options) -> Opened:
    from constrictor.runtimes.onnx import opened

    return opened(folder / f"model.{manifest.format}", options.threads, pad_id=options.pad_id)


def _open_openvino(folder: Path, manifest: Manifest, head: Head, options: Options) -> Opened:
    from constrictor.runtimes.openvino import open_openvino, real_precision, run_openvino

    compiled = open_openvino(folder / "model.xml", manifest.precision, options.threads)
    if (precision := real_precision(compiled)) != manifest.precision:
        # Not on standard output, where the process that times artifacts replies.
        log.warning("%s was exported for %s; this processor runs it in %s", folder, manifest.precision, precision)
    return Opened(partial(run_openvino, compiled, pad_id=options.pad_id))


_OPENERS = {
    "torch": _open_torch,
    "torch-int8": _open_torch_int8,
    "bitsandbytes": _open_bitsandbytes,
    "onnx": _open_onnx,
    "ort": _open_onnx,
    "openvino": _open_openvino,
}
