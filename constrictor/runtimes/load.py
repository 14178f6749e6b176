"""One way to open an artifact and ask it, over all formats. Each runtime is imported only when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from constrictor.data.batching import Batch, Text, predict_logits
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import Manifest, read_manifest
from constrictor.progress import log


@dataclass(frozen=True)
class Runtime:
    """A loaded artifact.

    Attributes:
        manifest: what the artifact is.
        tokenizer: its tokenizer.
        predict: maps a batch to ``(batch, classes)`` float32 logits.
    """

    manifest: Manifest
    tokenizer: Tokenizer
    predict: Callable[[Batch], np.ndarray]

    def logits_of(self, texts: Sequence[Text], batch_size: int = 64) -> np.ndarray:
        """Logits ``(texts, classes)`` of texts, in the order given.

        Raises:
            ConstrictorError: if these are not as many as the manifest has names for.
        """
        encoded = self.tokenizer.encode(texts)
        logits = predict_logits(self.predict, encoded, self.tokenizer.pad_id, batch_size=batch_size)
        names = self.manifest.trained_for()[0]
        if logits.shape[1] != len(names):
            raise ConstrictorError(
                f"the model answers with {logits.shape[1]} numbers and its manifest names {len(names)} ({', '.join(names)}): one "
                "of the two was changed. Delete the model's folder and run snakemake again."
            )
        return logits


Variant = Literal["sdpa", "eager", "compiled"]
"""How a torch model computes: with fused attention, with plain attention, or compiled for each shape."""


class Options(NamedTuple):
    """What :func:`load` was asked for."""

    threads: int
    bf16: bool
    variant: Variant


def load(folder: Path, *, threads: int = 0, bf16: bool = False, variant: Variant = "sdpa") -> Runtime:
    """Open an artifact.

    Args:
        folder: the artifact's folder.
        threads: threads to compute with; 0 takes all cores.
        bf16: let a float32 torch model compute its matrix products in bf16 where the device does so natively.
        variant: how a torch model computes.

    Raises:
        ConstrictorError: if the artifact is damaged or unfinished, or has no classes yet.
    """
    manifest = read_manifest(folder)
    tokenizer = Tokenizer(folder, manifest.trained_for()[1], truncation=manifest.truncation)
    return Runtime(manifest, tokenizer, _OPENERS[manifest.format](folder, manifest, Options(threads, bf16, variant)))


def _use_threads(options: Options) -> None:
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)


def _open_torch(folder: Path, manifest: Manifest, options: Options) -> Callable[[Batch], np.ndarray]:
    import torch

    from constrictor.models.device import has_native_bf16
    from constrictor.models.torch_model import load_classifier
    from constrictor.runtimes.torch import forward

    _use_threads(options)
    dtypes = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    dtype = dtypes.get(manifest.precision)
    if dtype is None:
        raise ConstrictorError(
            f"the manifest in {folder} says {manifest.precision!r}, and a torch model is one of {', '.join(dtypes)}: it was "
            f"changed. Delete it and run snakemake again: rm -r {folder}"
        )
    model = load_classifier(folder, *manifest.trained_for(), dtype=dtype).eval()
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    if options.variant == "eager":
        model.set_attn_implementation("eager")
    elif options.variant == "compiled":
        model.forward = torch.compile(model.forward)
    return partial(forward, model, bf16=options.bf16 and manifest.precision == "fp32" and has_native_bf16())


def _open_torch_int8(folder: Path, manifest: Manifest, options: Options) -> Callable[[Batch], np.ndarray]:
    from constrictor.models.quantized.int8_model import load_int8
    from constrictor.runtimes.torch import forward

    _use_threads(options)
    return partial(forward, load_int8(folder, manifest.shape))


def _open_bitsandbytes(folder: Path, manifest: Manifest, options: Options) -> Callable[[Batch], np.ndarray]:
    from constrictor.models.quantized.bitsandbytes import load_bnb
    from constrictor.runtimes.torch import forward

    _use_threads(options)
    return partial(forward, load_bnb(folder, manifest.shape))


def _open_onnx(folder: Path, manifest: Manifest, options: Options) -> Callable[[Batch], np.ndarray]:
    from constrictor.runtimes.onnx import open_session, run_session

    return partial(run_session, open_session(folder / f"model.{manifest.format}", options.threads))


def _open_openvino(folder: Path, manifest: Manifest, options: Options) -> Callable[[Batch], np.ndarray]:
    from constrictor.runtimes.openvino import open_openvino, real_precision, run_openvino

    compiled = open_openvino(folder / "model.xml", manifest.precision, options.threads)
    if (precision := real_precision(compiled)) != manifest.precision:
        # Not on standard output, where the process that times artifacts answers.
        log.warning("%s was exported for %s; this processor runs it in %s", folder, manifest.precision, precision)
    return partial(run_openvino, compiled)


_OPENERS = {
    "torch": _open_torch,
    "torch-int8": _open_torch_int8,
    "bitsandbytes": _open_bitsandbytes,
    "onnx": _open_onnx,
    "ort": _open_onnx,
    "openvino": _open_openvino,
}
