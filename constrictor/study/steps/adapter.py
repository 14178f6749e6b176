"""Settings of which weights a training updates: all, those of the head, or a low-rank adapter."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from constrictor.study.settings import LIST, PLAIN, Settings, plain_or_list

Targets = Annotated[
    Annotated[Literal["all"], Tag(PLAIN)] | Annotated[list[str], Field(min_length=1), Tag(LIST)],
    Discriminator(plain_or_list),
]


class Adapter(Settings):
    """Low-rank adaptation (LoRA; Hu et al., 2021): ``W x + alpha / rank * B A x`` with frozen W.

    The head of the task (and the pooler, if there is one) is trained in full.
    """

    method: Literal["lora"] = Field("lora", description="Adapter method.")
    rank: int = Field(8, ge=1, description="Rank of the update, r in the paper.")
    alpha: int = Field(16, ge=1, description="Scaling numerator: the update is multiplied by alpha / rank.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout probability on the input of the adapter.")
    targets: Targets = Field(
        ["query", "value"],
        description="Linear modules of each layer that get an adapter: `query`, `key`, `value`, `attention_output`, `ffn_in`, "
        "`ffn_out`, or a suffix of a module name; `all` means each of these six.",
        examples=["all", ["query", "key", "value"]],
    )
    merge: bool = Field(
        True,
        description="Merge the adapter into the weights and save a full model. `false` saves the adapter only (a few hundred "
        "kilobytes); the base model must then stay in place.",
    )
    base: Literal["fp32", "nf4"] = Field(
        "fp32",
        description="Precision of the frozen base weights during training. `nf4` needs about an eighth of their memory "
        "(QLoRA; Dettmers et al., 2023); the model is saved with these quantized weights in float32 plus the adapter.",
    )


class Tuning(Settings):
    """Which weights are trained."""

    topic: ClassVar[str] = "trainable weights"

    train: Literal["all", "head"] = Field(
        "all",
        description="Trainable weights: `all`, or `head` to freeze the encoder and train the head (and pooler) only.",
    )
    adapter: Adapter | None = Field(
        None, description="Train an adapter instead of the encoder's weights. Default: no adapter."
    )

    @model_validator(mode="after")
    def _exclude_each_other(self) -> Tuning:
        if self.train == "head" and self.adapter is not None:
            raise ValueError(
                "'train: head' and 'adapter' are mutually exclusive: an adapter changes the encoder. Keep one"
            )
        return self
