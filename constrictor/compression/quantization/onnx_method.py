"""What every method that quantizes an ONNX model has around it: read, rewrite, write, try out, count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto

from constrictor.compression.quantization.onnx_graph import float_matrices, float_tables
from constrictor.data.batching import pad
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import installed_versions
from constrictor.models.onnx_file import load_onnx, save_onnx
from constrictor.models.tokenizer_files import copy_tokenizer
from constrictor.runtimes.onnx import open_session, run_session

if TYPE_CHECKING:
    from constrictor.compression.quantization.context import Changes, QuantizationContext

# Operators that hold several numbers in a byte, and which of their inputs are packed so.
_PACKED = {"MatMulNBits": (1, 3), "GatherBlockQuantized": (0, 3)}

HEAD = "the classification head: it is small, and every answer depends on it"


def refused_tables(model: ModelProto) -> dict[str, str]:
    """The reason why the embedding tables stay in float32, where the step wants it so."""
    return {table.name: "the step says 'embeddings: false'" for table in float_tables(model)}


@dataclass(frozen=True)
class Rewritten:
    """What a method made of a model.

    Attributes:
        model: the quantized model.
        precision: what the manifest calls it.
        reasons: why a matrix or an embedding table stayed in float32, by name.
        details: what else the manifest says.
        max_difference: how far a logit may be from the parent's, for a method that should change next to nothing.
    """

    model: ModelProto
    precision: str
    reasons: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    max_difference: float | None = None


def on_onnx(method: Callable[[ModelProto, QuantizationContext], Rewritten]) -> Callable[[QuantizationContext], Changes]:
    """Make a method of the stage from a function that rewrites a model: its result is accepted only if it runs."""

    def quantize(context: QuantizationContext) -> Changes:
        labels = context.before.trained_for()[0]
        source, target = (folder / "model.onnx" for folder in (context.parent, context.staging))
        rewritten = method(load_onnx(source), context)
        save_onnx(rewritten.model, target)
        tokenizer = context.tokenizer()
        after = try_out(target, tokenizer, len(labels))
        if rewritten.max_difference is not None:
            refuse_difference(try_out(source, tokenizer, len(labels)), after, rewritten)
        copy_tokenizer(context.parent, context.staging)
        return {
            "precision": rewritten.precision,
            "details": {**stored_numbers(rewritten.model, rewritten.reasons), **rewritten.details},
            "versions": installed_versions("onnx", "onnxruntime"),
        }

    return quantize


def try_out(file: Path, tokenizer: Tokenizer, classes: int) -> np.ndarray:
    """Open a model with ONNX Runtime and run it on one batch.

    Args:
        file: the model.
        tokenizer: its tokenizer.
        classes: how many logits a text should get.

    Returns:
        ``(batch, classes)`` logits.

    Raises:
        ConstrictorError: if the runtime cannot open or run it, or a logit is not a finite number.
    """
    what = f"{file.name} does not run in ONNX Runtime {onnxruntime.__version__} on this machine"
    texts = tokenizer.encode(["yes", "a few words more, so that one of the two is padded"])
    try:
        logits = run_session(open_session(file), pad(texts, tokenizer.pad_id))
    except Exception as error:  # the runtime raises exceptions of its own
        raise ConstrictorError(
            f"{what}, and nothing was written. Quantize by another method, or install a newer onnxruntime. It says: {error}"
        ) from None
    if logits.shape != (len(texts), classes) or not np.isfinite(logits).all():
        raise ConstrictorError(f"{what} as it should, and nothing was written: its logits are {logits.tolist()}.")
    return logits


def refuse_difference(before: np.ndarray, after: np.ndarray, rewritten: Rewritten) -> None:
    """Stop when a method that should change next to nothing has changed more.

    Raises:
        ConstrictorError: saying by how much a logit has moved.
    """
    assert rewritten.max_difference is not None
    difference = float(np.abs(before - after).max())
    if difference > rewritten.max_difference:
        raise ConstrictorError(
            f"in {rewritten.precision} a logit moves by {difference:.2g}, and {rewritten.max_difference:g} is allowed: some "
            "number of the model lies outside the range of the format. Nothing was written. Quantize by another method."
        )


def stored_numbers(model: ModelProto, reasons: dict[str, str]) -> dict[str, Any]:
    """What a model stores.

    Args:
        model: the quantized model.
        reasons: why a matrix or table stayed in float, by name.

    Returns:
        ``numbers``, the share of all stored numbers by their type, and ``kept_float``, the matrices and tables that are
        still in float32, by the reason. Biases, norms and scales are vectors: they always stay.
    """
    bits = {
        node.input[position]: next(part.i for part in node.attribute if part.name == "bits")
        for node in model.graph.node
        for position in _PACKED.get(node.op_type, ())
        if position < len(node.input)
    }
    sizes = Counter[str]()
    for tensor in model.graph.initializer:
        count = int(np.prod(tensor.dims, dtype=np.int64))
        width = bits.get(tensor.name)
        name = TensorProto.DataType.Name(tensor.data_type).lower().replace("float", "fp")
        sizes[f"int{width}" if width else {"fp": "fp32"}.get(name, name)] += count * 8 // width if width else count
    total = sum(sizes.values())
    kept: dict[str, list[str]] = {}
    for weight in (*float_matrices(model), *float_tables(model)):
        kept.setdefault(reasons.get(weight.name, "too small to matter"), []).append(weight.name)
    return {
        "numbers": {name: round(count / total, 6) for name, count in sizes.most_common()},
        "kept_float": kept,
    }
