"""Settings of feature distillation: the student reproduces its teacher's hidden states and attention."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from constrictor.errors import ConstrictorError
from constrictor.study.layers import layer_pairs
from constrictor.study.model_state import ModelState
from constrictor.study.settings import MAPPING, PLAIN, Settings, plain_or_mapping

LayerMap = Annotated[
    Annotated[Literal["uniform", "last"], Tag(PLAIN)] | Annotated[dict[int, int], Field(min_length=1), Tag(MAPPING)],
    Discriminator(plain_or_mapping),
]

_LAYERS = (
    "Layer mapping: `uniform` spreads the student's layers over the teacher's, last layer to last layer; `last` is that pair "
    "only; `{student layer: teacher layer}` lists the pairs, numbered from 0."
)


class Hidden(Settings):
    """Distillation of hidden states (FitNets; Romero et al., 2015)."""

    weight: float = Field(1.0, gt=0, description="Weight of this loss; that of the logits and labels has weight 1.")
    loss: Literal["mse", "cosine"] = Field(
        "mse", description="Mean squared error, or 1 - cosine similarity (DistilBERT; Sanh et al., 2019)."
    )
    layers: LayerMap = Field("uniform", description=_LAYERS)


class Attention(Settings):
    """Distillation of self-attention, head by head."""

    weight: float = Field(1.0, gt=0, description="Weight of this loss; that of the logits and labels has weight 1.")
    loss: Literal["kl", "mse"] = Field(
        "kl",
        description="`kl` divergence of the attention probabilities (MiniLM; Wang et al., 2020), or `mse` of the attention "
        "scores before the softmax (TinyBERT; Jiao et al., 2020).",
    )
    layers: LayerMap = Field("last", description=_LAYERS)
    values: bool = Field(False, description="Distil the value-value relations as well, as MiniLM does.")
    relation_heads: int | None = Field(
        None,
        ge=1,
        description="Number of relation heads into which queries, keys and values are split (MiniLMv2; Wang et al., 2021), for "
        "students with another number of attention heads. Default: the models' own heads, which must be equal in number.",
    )


class FeatureDistillation(Settings):
    """Distillation of intermediate representations. It needs an online teacher, which runs in the training."""

    topic: ClassVar[str] = "feature distillation"

    hidden: Hidden | None = Field(
        None,
        description="Distil hidden states, through a learned projection if the widths differ. Teacher and student must share "
        "a tokenizer. Default: none.",
    )
    attention: Attention | None = Field(
        None, description="Distil attention. Teacher and student must share a tokenizer. Default: none."
    )

    @property
    def needs_online_teacher(self) -> bool:
        """Whether the training needs the teacher itself, and not only its cached outputs."""
        return self.hidden is not None or self.attention is not None

    @property
    def layer_maps(self) -> list[str | dict[int, int]]:
        """The layer mappings of the representations that are distilled."""
        return [part.layers for part in (self.hidden, self.attention) if part is not None]

    def teacher_problem(self, name: str, student: ModelState, teacher: ModelState) -> str | None:
        """Why a teacher's representations cannot be distilled into a student; None if they can.

        Args:
            name: the step's name, for the message.
            student: state of the model that is trained.
            teacher: state of its teacher.
        """
        if self.needs_online_teacher and not teacher.is_float32:
            return (
                f"'{name}' distils hidden states or attention, and its teacher is {teacher.format}, {teacher.precision}. "
                "Use a float32 torch model as the teacher, or remove 'hidden' and 'attention'."
            )
        if student.layers is None or teacher.layers is None:
            return None
        try:
            for layers in self.layer_maps:
                layer_pairs(layers, student.layers, teacher.layers)
        except ConstrictorError as error:
            return f"'{name}': {error}"
        return None
