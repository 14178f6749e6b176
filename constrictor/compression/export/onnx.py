"""Export a torch classifier to ONNX and compare the two on real text."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.errors import ConstrictorError


class _LogitsOnly(nn.Module):
    """A classifier as a function of ids and mask."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def export_onnx(model: PreTrainedModel, file: Path, opset: int) -> None:
    """Write a classifier as ONNX: ``input_ids`` and ``attention_mask`` ``(batch, length)`` to ``logits``.

    Args:
        model: a float32 classifier.
        file: where to write.
        opset: version of the operator set.
    """
    # Plain attention becomes matrix products that the int8 quantizer knows.
    model.set_attn_implementation("eager")
    ids = torch.ones(2, 8, dtype=torch.long)
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    dynamic = {0: batch, 1: length}
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's remarks on its own deprecated calls
        program = torch.onnx.export(
            _LogitsOnly(model.eval()),
            (ids, torch.ones_like(ids)),
            dynamo=True,
            opset_version=opset,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes=(dynamic, dynamic),
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    _strip_notes(proto)
    onnx.save(proto, file)


def _strip_notes(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: they hold paths of the exporting machine and differ from run to run."""
    for holder in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        del holder.metadata_props[:]
        holder.doc_string = ""


def compare_logits(reference: np.ndarray, candidate: np.ndarray) -> dict[str, Any]:
    """How far two sets of logits are apart.

    Args:
        reference: ``(texts, classes)``.
        candidate: ``(texts, classes)``.

    Returns:
        The largest and the mean absolute difference, and the share of equal predictions.
    """
    difference = np.abs(reference - candidate)
    return {
        "texts": len(reference),
        "max_difference": float(difference.max()),
        "mean_difference": float(difference.mean()),
        "equal_predictions": float((reference.argmax(1) == candidate.argmax(1)).mean()),
    }


def refuse_difference(found: dict[str, Any], limit: float, file: Path) -> None:
    """Stop when an exported model does not compute what the torch model does.

    Raises:
        ConstrictorError: saying by how much the limit is passed.
    """
    if not found["max_difference"] <= limit:  # also catches NaN
        raise ConstrictorError(
            f"{file.name} differs from the torch model: a logit by {found['max_difference']:.2e} where {limit:.0e} is "
            f"allowed (mean {found['mean_difference']:.2e}, {found['equal_predictions']:.1%} equal predictions on "
            f"{found['texts']} texts). Raise 'max_difference' only if you know why; another 'opset' may help."
        )
