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
from constrictor.data.batching import Arrays, pad
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import installed_versions
from constrictor.models.onnx_file import load_onnx, save_onnx
from constrictor.models.tokenizer_files import copy_tokenizer
from constrictor.runtimes.onnx import open_session, run_session

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
        source, target = (folder / "model.onnx" for folder in (context.parent, context.staging))
        rewritten = method(load_onnx(source), context)
        save_onnx(rewritten.model, target)
        after = try_out(target, context)
        if rewritten.max_difference is not None:
            refuse_difference(try_out(source, context), after, rewritten)
        copy_tokenizer(context.parent, context.staging)
        return {
            "precision": rewritten.precision,
            "details": {**stored_numbers(rewritten.model, rewritten.reasons), **rewritten.details},
            "versions": installed_versions("onnx", "onnxruntime"),
        }

    return quantize


def try_out(file: Path, context: QuantizationContext) -> Arrays:
    """Open a model with ONNX Runtime and run it on one batch.

    Args:
        file: the model.
        context: what it was made of.

    Returns:
        By name ``(batch, ...)`` outputs.

    Raises:
        ConstrictorError: if the runtime cannot open or run it, or an output is missing or not a finite number.
    """
    what = f"{file.name} does not run in ONNX Runtime {onnxruntime.__version__} on this machine"
    tokenizer = context.tokenizer()
    texts = tokenizer.encode(["yes", "a few words more, so that one of the two is padded"])
    batch = pad(texts, tokenizer.pad_id)
    try:
        found = run_session(open_session(file), batch)
    except Exception as error:  # the runtime raises exceptions of its own
        raise ConstrictorError(
            f"{what}, and nothing was written. Quantize by another method, or install a newer onnxruntime: {error}"
        ) from None
    shapes = context.kind.output_shapes(*batch["input_ids"].shape)
    if {name: values.shape[0] for name, values in found.items()} != {name: shape[0] for name, shape in shapes.items()}:
        raise ConstrictorError(f"{what} as it should, and nothing was written: its outputs are {', '.join(found)}.")
    for name, values in found.items():
        if values.ndim != len(shapes[name]) or not np.isfinite(values).all():
            raise ConstrictorError(f"{what} as it should, and nothing was written: {name} is {values.tolist()}.")
    return found


def refuse_difference(before: Arrays, after: Arrays, rewritten: Rewritten) -> None:
    """Stop when a method that should change next to nothing has changed more.

    Raises:
        ConstrictorError: saying by how much a logit has moved.
    """
    assert rewritten.max_difference is not None
    difference = max(float(np.abs(before[name] - after[name]).max()) for name in before)
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
