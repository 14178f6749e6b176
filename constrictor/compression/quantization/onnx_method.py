"""What every method that quantizes an ONNX model has around it: read, rewrite, write, compare, count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, TensorProto

from constrictor.compression.differences import Difference, difference_of
from constrictor.compression.quantization.onnx_graph import float_matrices, float_tables
from constrictor.data.batching import RawOutputs, predict_outputs
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import installed_versions
from constrictor.models.onnx_file import load_onnx, save_onnx
from constrictor.models.tokenizer_files import copy_tokenizer
from constrictor.runtimes.onnx import open_session, run_session
from constrictor.runtimes.try_out import few_features

if TYPE_CHECKING:
    from constrictor.compression.quantization.context import Changes, QuantizationContext

# Operators that hold several numbers in a byte, and which of their inputs are packed so.
_PACKED = {"MatMulNBits": (1, 3), "GatherBlockQuantized": (0, 3)}

HEAD = "the classification head: it is small, and every prediction depends on it"


def refused_tables(model: ModelProto) -> dict[str, str]:
    """The reason why the embedding tables stay in float32, where the step excludes them."""
    return {table.name: "the step sets 'embeddings: false'" for table in float_tables(model)}


@dataclass(frozen=True)
class Rewritten:
    """What a method made of a model.

    Attributes:
        model: the quantized model.
        precision: what the manifest calls it.
        reasons: why a matrix or an embedding table stayed in float32, by name.
        details: what else the manifest records.
        tolerance: how far an output may be from the parent's, as a share of the outputs' scale, for a method that should
            change next to nothing.
    """

    model: ModelProto
    precision: str
    reasons: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    tolerance: float | None = None


def on_onnx(method: Callable[[ModelProto, QuantizationContext], Rewritten]) -> Callable[[QuantizationContext], Changes]:
    """Make a method of the stage from a function that rewrites a model."""

    def quantize(context: QuantizationContext) -> Changes:
        source, target = (folder / "model.onnx" for folder in (context.parent, context.staging))
        rewritten = method(load_onnx(source), context)
        save_onnx(rewritten.model, target)
        if rewritten.tolerance is not None:
            difference = difference_of(*(_outputs(file, context) for file in (source, target)))
            refuse_difference(difference, rewritten.tolerance, rewritten.precision)
        copy_tokenizer(context.parent, context.staging)
        return {
            "precision": rewritten.precision,
            "details": {**stored_numbers(rewritten.model, rewritten.reasons), **rewritten.details},
            "versions": installed_versions("onnx", "onnxruntime"),
        }

    return quantize


def _outputs(file: Path, context: QuantizationContext) -> RawOutputs:
    """A model's outputs for a few examples."""
    tokenizer, predict = context.tokenizer(), partial(run_session, open_session(file))
    encoded = few_features(context.kind, tokenizer, context.task.validation).encoded
    return predict_outputs(predict, encoded, tokenizer.pad_id, per_token=context.kind.per_token)


def refuse_difference(difference: Difference, tolerance: float, precision: str) -> None:
    """Stop when a method that should change next to nothing has changed more; NaN is left to the try-out that follows.

    Raises:
        ConstrictorError: saying by how much an output has moved.
    """
    if difference.largest > tolerance * difference.scale:
        raise ConstrictorError(
            f"in {precision} an output moves by {difference.largest:.2g}, and {tolerance * difference.scale:.2g} is allowed "
            f"({tolerance:.0%} of how far outputs differ): some number of the model lies outside the range of the format. "
            "Nothing was written. Quantize by another method."
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
