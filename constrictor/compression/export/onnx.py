"""Write a torch model as ONNX."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.compression.export.lean import LeanClassifier
from constrictor.data.batching import TYPES, Encoded
from constrictor.errors import ConstrictorError
from constrictor.models.head import Head
from constrictor.models.model_inputs import has_token_types
from constrictor.models.onnx_file import save_onnx


class PlainModel(nn.Module):
    """A model as it is. It maps ids, mask and perhaps token types ``(batch, length)`` to its outputs, in their order."""

    def __init__(self, model: PreTrainedModel, head: Head) -> None:
        super().__init__()
        # Plain attention becomes matrix products that the int8 quantizer knows.
        model.set_attn_implementation("eager")
        self.model = model
        self.outputs = head.outputs

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Outputs for a batch."""
        types = {} if token_type_ids is None else {TYPES: token_type_ids}  # some models know no such argument
        found = self.model(input_ids=input_ids, attention_mask=attention_mask, **types)
        return tuple(getattr(found, field) for field in self.outputs.values())


def reads_types(model: PreTrainedModel, texts: Encoded) -> bool:
    """Whether a model, once exported, is to read token types: it has several, and its task is about pairs."""
    return texts[0].ndim == 2 and has_token_types(model)


def export_onnx(
    model: PlainModel | LeanClassifier,
    file: Path,
    opset: int,
    max_length: int,
    shape: tuple[int, int] | None = None,
    *,
    typed: bool = False,
) -> None:
    """Write a model as ONNX: its inputs are `input_ids`, `attention_mask` and perhaps `token_type_ids`, its outputs
    those of the model.

    Args:
        model: maps ids, mask and perhaps token types ``(batch, length)`` to outputs ``(batch, ...)`` in float32.
        file: where to write; tensors of a model of more than 2 GB go into `model.onnx.data` beside it.
        opset: version of the operator set.
        max_length: longest input in tokens.
        shape: a fixed batch size and length; None leaves both free.
        typed: let it read token types.

    Raises:
        ConstrictorError: if the model cannot be written in this operator set.
    """
    ids = torch.ones(shape or (2, min(8, max_length)), dtype=torch.long)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if typed:
        inputs[TYPES] = torch.ones_like(ids)
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", max=max_length)}
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's remarks on its own deprecated calls
        try:
            program = torch.onnx.export(
                model.eval(),
                tuple(inputs.values()),
                dynamo=True,
                opset_version=opset,
                input_names=list(inputs),
                output_names=list(model.outputs),
                dynamic_shapes=None if shape else (free,) * len(inputs),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ConstrictorError(f"the model cannot be written as ONNX with opset {opset}: {error}") from error
    assert program is not None
    proto = program.model_proto
    _refuse_other_opset(proto, opset)
    _strip_notes(proto)
    save_onnx(proto, file)


def _refuse_other_opset(proto: onnx.ModelProto, opset: int) -> None:
    """Where the exporter cannot convert to an operator set it warns and keeps its own."""
    found = next(entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx"))
    if found != opset:
        raise ConstrictorError(f"the exporter cannot write this model with opset {opset}. Set 'opset: {found}'.")


def _strip_notes(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: they hold paths of the exporting machine and differ from run to run."""
    for holder in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        del holder.metadata_props[:]
        holder.doc_string = ""
