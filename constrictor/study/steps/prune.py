"""Settings of the stage `prune`: one model a method."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from constrictor.study.settings import Share
from constrictor.study.steps.recovery import Calibration, Recovery

PATTERN = r"^[1-9][0-9]?:[1-9][0-9]?$"


def _written(value: Any) -> Any:
    """A pattern as it was written: YAML reads 2:4 without quotes as two minutes and four seconds."""
    return f"{value // 60}:{value % 60}" if isinstance(value, int) else value


Pattern = Annotated[str, Field(pattern=PATTERN), BeforeValidator(_written, json_schema_input_type=str)]


class Prune(Recovery):
    """What every method has: the damage is followed by recovery, and what is best on validation is kept."""

    stage: Literal["prune"] = Field(description="The stage.")
    method: str


class _Masking(Prune):
    """Zeros single weights; matrices keep their shapes."""

    sparsity: Share | None = Field(
        None, description="Share of the encoder's linear weights that become zero; this or `pattern`."
    )
    pattern: Pattern | None = Field(
        None,
        description="`2:4`: of every 4 neighbouring inputs of a neuron, 2 stay. The widths of the matrices must be "
        "multiples of the second number.",
        examples=["2:4"],
    )

    @model_validator(mode="after")
    def _one_amount(self) -> _Masking:
        if (self.sparsity is None) == (self.pattern is None):
            raise ValueError("needs exactly one of 'sparsity' and 'pattern'")
        if self.pattern is not None:
            kept, group = map(int, self.pattern.split(":"))
            if kept >= group:
                raise ValueError(f"the pattern {self.pattern} removes nothing: write kept:group, for example 2:4")
        return self


class Magnitude(_Masking):
    """Zero the weights nearest to zero (Han et al., 2015), at once or step by step (Zhu and Gupta, 2017)."""

    method: Literal["magnitude"] = Field(description="How the importance of a weight is judged.")
    scope: Literal["global", "layer"] = Field(
        "global", description="`global` ranks all matrices together; `layer` prunes each to the same share."
    )
    gradual: bool = Field(
        False,
        description="Raise the sparsity on a cubic schedule over the first two thirds of the recovery instead of at once; only "
        "epochs that end after that compete.",
    )

    @model_validator(mode="after")
    def _room_to_rise(self) -> Magnitude:
        if self.gradual and self.finetune_epochs == 0:
            raise ValueError("'gradual' raises the sparsity during recovery: set 'finetune_epochs' to 1 or more")
        if self.gradual and self.pattern is not None:
            raise ValueError("'gradual' raises a share step by step and a pattern has none: use 'sparsity'")
        return self


class Wanda(Calibration, _Masking):
    """Zero the weights of least |weight| times activation norm, the same share of each neuron (Sun et al., 2024)."""

    method: Literal["wanda"] = Field(description="How the importance of a weight is judged.")


class Movement(Prune):
    """Zero the weights that shrink while fine-tuning, the same share of each matrix (Sanh et al., 2020).

    The sparsity rises on a cubic schedule over the first two thirds of the recovery; only epochs that end after that
    compete.
    """

    method: Literal["movement"] = Field(description="How the importance of a weight is judged.")
    sparsity: Share = Field(description="Share of the encoder's linear weights that become zero.")
    score_lr: float = Field(
        10.0,
        gt=0,
        description="Learning rate of the scores, as a multiple of that of the weights: how soon movement outweighs the "
        "magnitude, at which scores start.",
    )
    finetune_epochs: int = Field(
        2, ge=1, description="Epochs of fine-tuning over `train_on`, in which the scores are learned."
    )


class Structured(Calibration, Prune):
    """Cut attention heads and feed-forward neurons out, so that matrices become smaller and faster.

    Either `heads` and `ffn` (shares of each), or one budget for both: `sparsity` (of the encoder's weights) or
    `latency` (of its measured time); within a budget, heads and neurons compete by importance for what they cost.
    """

    method: Literal["structured"] = Field(description="The method.")
    heads: float | None = Field(None, ge=0, lt=1, description="Share of the attention heads to remove.")
    ffn: float | None = Field(None, ge=0, lt=1, description="Share of the feed-forward neurons to remove.")
    sparsity: Share | None = Field(None, description="Share of the encoder's linear weights to remove.")
    latency: Share | None = Field(
        None,
        description="Share of the encoder's time to save, by a table of costs that is measured on the machine of the job.",
    )
    score: Literal["taylor", "magnitude", "activation"] = Field(
        "taylor",
        description="Importance of a head or neuron: `taylor` is the first-order change of the loss if it went (Michel et "
        "al., 2019; needs labels or a teacher), `magnitude` the norm of its weights, `activation` the norm of what it puts out.",
    )
    calibration_size: int = Field(1024, ge=32, description="How many of them, drawn by a fixed seed.")
    scope: Literal["layer", "global"] = Field(
        "layer", description="`layer` cuts every layer to the same shape; `global` lets layers differ."
    )
    multiple_of: int = Field(
        64,
        ge=1,
        description="Widths of what stays are rounded to this multiple: 64 is what 4-bit kernels and vector units want.",
    )

    @model_validator(mode="after")
    def _one_budget(self) -> Structured:
        shares = self.heads is not None or self.ffn is not None
        if shares + (self.sparsity is not None) + (self.latency is not None) != 1:
            raise ValueError("needs 'heads' and/or 'ffn', or 'sparsity', or 'latency': one of the three ways")
        return self


class Layers(Prune):
    """Drop whole layers (Sajjad et al., 2023)."""

    method: Literal["layers"] = Field(description="The method.")
    keep: list[int] = Field(min_length=1, description="Layers to keep, counted from 0.", examples=[[0, 2, 4]])


class Vocabulary(Prune):
    """Keep the tokens that the task's text needs, and drop the other rows of the embedding table.

    Special tokens, single characters and their continuations always stay, so that any text can still be written.
    """

    method: Literal["vocabulary"] = Field(description="The method.")
    size: int | None = Field(
        None, ge=1, description="Keep at most this many tokens, the most frequent ones. Default: all."
    )
    min_count: int = Field(1, ge=1, description="Keep tokens that occur at least this often in `text`.")
    text: list[str] = Field(
        ["train"], min_length=1, description="Texts whose tokens are counted: `train`, and names of subsets."
    )


AnyPrune = Annotated[
    Magnitude | Wanda | Movement | Structured | Layers | Vocabulary,
    Field(discriminator="method"),
]
