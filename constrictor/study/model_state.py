"""The properties of a model before it is built. Each step computes it from its parent's (``Step.after``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from constrictor.machine import GPU_FORMATS

LayerCount = Callable[[str], int | None]
"""Maps the name of a checkpoint to its number of layers; None if it is unknown until the download."""


class ModelState(NamedTuple):
    """The properties of a model before it is built.

    Attributes:
        format: the format of its files, as in the manifest: `torch`, `torch-int8`, `bitsandbytes`, `onnx`, `ort`, `openvino`.
        precision: `fp32`, or what it was quantized to.
        layers: number of encoder layers; None if it is unknown until the download.
    """

    format: str
    precision: str
    layers: int | None

    @property
    def is_float32(self) -> bool:
        """Whether this is a float32 torch model, which any step can train or rewrite."""
        return self.format == "torch" and self.precision == "fp32"

    @property
    def runs_on_gpu(self) -> bool:
        """Whether inference uses a GPU if there is one."""
        return self.format in GPU_FORMATS


def no_parent(name: str, verb: str) -> str:
    """The message for a step that needs a parent and begins a chain.

    >>> no_parent("mag40", "prunes")
    "'mag40' prunes a model and no step comes before it. Begin with a 'finetune' or 'checkpoint' step: 'teacher/mag40'."
    """
    return (
        f"'{name}' {verb} a model and no step comes before it. "
        f"Begin with a 'finetune' or 'checkpoint' step: 'teacher/{name}'."
    )


def not_float32(name: str, verb: str, parent: ModelState) -> str:
    """The message for a step whose parent must be a float32 torch model and is not.

    >>> not_float32("mag40", "prunes", ModelState("onnx", "fp32", 6))
    "'mag40' prunes, and its parent is an exported model (onnx, fp32). Put 'mag40' before the step that exports or quantizes."
    """
    what = "an exported model" if parent.format in ("onnx", "ort", "openvino") else "a quantized model"
    return (
        f"'{name}' {verb}, and its parent is {what} ({parent.format}, {parent.precision}). "
        f"Put '{name}' before the step that exports or quantizes."
    )
