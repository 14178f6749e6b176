"""Settings of what a student may copy beside logits: its teacher's hidden states and attention."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from constrictor.study.settings import MAPPING, PLAIN, Settings, plain_or_mapping

LayerMap = Annotated[
    Annotated[Literal["uniform", "last"], Tag(PLAIN)] | Annotated[dict[int, int], Field(min_length=1), Tag(MAPPING)],
    Discriminator(plain_or_mapping),
]

_LAYERS = (
    "Which layer learns from which: `uniform` spreads the student's layers over the teacher's, the last on the last; "
    "`last` is that pair alone; `{student layer: teacher layer}` names them, counted from 0."
)


class Hidden(Settings):
    """Hidden states: what each layer puts out for each token (FitNets; Romero et al., 2015)."""

    weight: float = Field(1.0, gt=0, description="Weight of this loss beside that of the logits and labels.")
    loss: Literal["mse", "cosine"] = Field(
        "mse", description="Mean squared difference, or 1 - cosine of the angle (DistilBERT; Sanh et al., 2019)."
    )
    layers: LayerMap = Field("uniform", description=_LAYERS)


class Attention(Settings):
    """Attention maps: how much each token attends to each other, by head."""

    weight: float = Field(1.0, gt=0, description="Weight of this loss beside that of the logits and labels.")
    loss: Literal["kl", "mse"] = Field(
        "kl",
        description="`kl` between the rows of the maps (MiniLM; Wang et al., 2020), or `mse` between the scores before the "
        "softmax (TinyBERT; Jiao et al., 2020).",
    )
    layers: LayerMap = Field("last", description=_LAYERS)
    values: bool = Field(False, description="Copy the relations between the value vectors as well, as MiniLM does.")
    relation_heads: int | None = Field(
        None,
        ge=1,
        description="Split queries, keys and values into this many heads first (MiniLMv2; Wang et al., 2021), for students "
        "with another number of heads. Default: the models' own heads, which must agree.",
    )


class Matching(Settings):
    """What a student copies of its teacher's insides; the teacher then computes along in the training."""

    hidden: Hidden | None = Field(
        None,
        description="Copy hidden states, through a learned projection where widths differ. The teacher must share the "
        "student's tokenizer. Default: do not.",
    )
    attention: Attention | None = Field(
        None, description="Copy attention maps. The teacher must share the student's tokenizer. Default: do not."
    )

    @property
    def live(self) -> bool:
        """Whether the teacher itself is needed, and not its outputs alone."""
        return self.hidden is not None or self.attention is not None

    @property
    def layer_maps(self) -> list[str | dict[int, int]]:
        """Which layers learn from which, of what is copied."""
        return [part.layers for part in (self.hidden, self.attention) if part is not None]
