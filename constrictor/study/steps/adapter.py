"""Which weights a training changes: all of them, the head alone, or a low-rank adapter beside them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from constrictor.study.settings import LIST, PLAIN, Settings, plain_or_list

Targets = Annotated[
    Annotated[Literal["all"], Tag(PLAIN)] | Annotated[list[str], Field(min_length=1), Tag(LIST)],
    Discriminator(plain_or_list),
]


class Adapter(Settings):
    """Two thin matrices beside each chosen one: ``W x + alpha / rank * B A x``, with W frozen (LoRA; Hu et al., 2021).

    The classification head (and the pooler, where there is one) is trained as it is.
    """

    method: Literal["lora"] = Field("lora", description="The kind of adapter.")
    rank: int = Field(8, ge=1, description="Inner width of the two matrices.")
    alpha: int = Field(16, ge=1, description="The adapter's output is scaled by alpha / rank.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout on the adapter's input while training.")
    targets: Targets = Field(
        ["query", "value"],
        description="Matrices of each layer that get an adapter: `query`, `key`, `value`, `attention_output`, `ffn_in`, "
        "`ffn_out`, or the end of a module's own name; `all` means every one of them.",
        examples=["all", ["query", "key", "value"]],
    )
    merge: bool = Field(
        True,
        description="Add the adapter to the weights, which gives a plain model of full size. `false` keeps the adapter "
        "alone, a file of some hundred kilobytes; the model it was trained on has to stay where it is.",
    )
    base: Literal["fp32", "nf4"] = Field(
        "fp32",
        description="Precision of the frozen weights while training. `nf4` needs about an eighth of their memory "
        "(QLoRA; Dettmers et al., 2023); what is saved are these rounded weights in float32, with the adapter.",
    )


class Tuning(Settings):
    """What of a model is trained."""

    train: Literal["all", "head"] = Field(
        "all", description="`head` freezes the encoder and trains the classification head (and the pooler) alone."
    )
    adapter: Adapter | None = Field(None, description="Train an adapter in place of the encoder's weights.")

    @model_validator(mode="after")
    def _one_way(self) -> Tuning:
        if self.train == "head" and self.adapter is not None:
            raise ValueError(
                "'train: head' and 'adapter' exclude each other: an adapter changes the encoder. Keep one."
            )
        return self
