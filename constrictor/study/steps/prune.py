"""Settings of the stage `prune`: one class per method."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from constrictor.study.layers import layer_problem
from constrictor.study.model_state import LayerCount, ModelState, no_parent, not_float32
from constrictor.study.settings import Share
from constrictor.study.steps.recovery import Calibration, Recovery

PATTERN = r"^[1-9][0-9]?:[1-9][0-9]?$"


def _as_written(value: Any) -> Any:
    """A pattern as written in the file: YAML 1.1 reads 2:4 without quotes as a base-60 number."""
    return f"{value // 60}:{value % 60}" if isinstance(value, int) else value


Pattern = Annotated[str, Field(pattern=PATTERN), BeforeValidator(_as_written, json_schema_input_type=str)]


class Prune(Recovery):
    """Pruning, optionally followed by recovery fine-tuning. The best candidate on validation is saved."""

    masks_only: ClassVar[bool] = False
    """Whether the method only zeroes weights, so that matrices keep their shapes and inference is not faster."""

    stage: Literal["prune"] = Field(description="The stage.")
    method: str

    def after(self, name: str, parent: ModelState | None, layers_of: LayerCount) -> ModelState | str:
        """A float32 model, with all layers unless the method removes some."""
        if parent is None:
            return no_parent(name, "prunes")
        return parent if parent.is_float32 else not_float32(name, "prunes", parent)


class _Masking(Prune):
    """Zeroes individual weights; matrices keep their shapes."""

    topic: ClassVar[str] = "unstructured sparsity"
    masks_only: ClassVar[bool] = True

    sparsity: Share | None = Field(
        None, description="Fraction of the encoder's linear weights that become zero. Exclusive with `pattern`."
    )
    pattern: Pattern | None = Field(
        None,
        description="N:M sparsity, as `2:4`: of every 4 consecutive inputs of a neuron, 2 weights are kept. The widths of the "
        "matrices must be multiples of the second number. Exclusive with `sparsity`.",
        examples=["2:4"],
    )

    @model_validator(mode="after")
    def _need_one_amount(self) -> _Masking:
        if (self.sparsity is None) == (self.pattern is None):
            raise ValueError("needs exactly one of 'sparsity' and 'pattern'")
        if self.pattern is not None:
            kept, group = map(int, self.pattern.split(":"))
            if kept >= group:
                raise ValueError(f"the pattern {self.pattern} removes nothing: write kept:group, for example 2:4")
        return self


class Magnitude(_Masking):
    """Magnitude pruning (Han et al., 2015), one-shot or gradual (Zhu and Gupta, 2017)."""

    method: Literal["magnitude"] = Field(description="The method.")
    scope: Literal["global", "layer"] = Field(
        "global", description="`global` ranks the weights of all matrices together; `layer` prunes each matrix equally."
    )
    gradual: bool = Field(
        False,
        description="Increase the sparsity on a cubic schedule over the first two thirds of the recovery fine-tuning instead of "
        "at once. Only epochs that end after that are candidates.",
    )

    @model_validator(mode="after")
    def _need_epochs_and_a_share(self) -> Magnitude:
        if self.gradual and self.finetune_epochs == 0:
            raise ValueError(
                "'gradual' increases the sparsity during recovery fine-tuning: set 'finetune_epochs' to 1 or more"
            )
        if self.gradual and self.pattern is not None:
            raise ValueError("'gradual' requires 'sparsity' and cannot be combined with 'pattern'")
        return self


class Wanda(Calibration, _Masking):
    """Zero the weights with the smallest |weight| * activation norm, equally per neuron (Wanda; Sun et al., 2024)."""

    method: Literal["wanda"] = Field(description="The method.")


class Movement(Prune):
    """Movement pruning: zero the weights that shrink during fine-tuning, equally per matrix (Sanh et al., 2020).

    The sparsity increases on a cubic schedule over the first two thirds of the fine-tuning; only epochs that end after that
    are candidates.
    """

    masks_only: ClassVar[bool] = True

    method: Literal["movement"] = Field(description="The method.")
    sparsity: Share = Field(description="Fraction of the encoder's linear weights that become zero.")
    score_lr: float = Field(
        10.0,
        gt=0,
        description="Learning rate of the scores, as a multiple of the learning rate of the weights. Scores are initialized with "
        "magnitudes; the higher the rate, the sooner movement outweighs them.",
    )
    finetune_epochs: int = Field(
        2, ge=1, description="Epochs of fine-tuning over `train_on`, in which the scores are learned."
    )


class Structured(Calibration, Prune):
    """Remove attention heads and feed-forward neurons, so that matrices become smaller and inference faster.

    Either set `heads` and `ffn` (a fraction of each), or one budget for both: `sparsity` (of the encoder's weights) or
    `latency` (of its measured time). Within a budget, heads and neurons are ranked by importance per cost.
    """

    method: Literal["structured"] = Field(description="The method.")
    heads: float | None = Field(None, ge=0, lt=1, description="Fraction of the attention heads to remove.")
    ffn: float | None = Field(None, ge=0, lt=1, description="Fraction of the feed-forward neurons to remove.")
    sparsity: Share | None = Field(None, description="Fraction of the encoder's linear weights to remove.")
    latency: Share | None = Field(
        None,
        description="Fraction of the encoder's latency to save, according to a cost table measured on the machine of the job.",
    )
    score: Literal["taylor", "magnitude", "activation"] = Field(
        "taylor",
        description="Importance of a head or neuron: `taylor`, the first-order change of the loss if it is removed (Michel et "
        "al., 2019; requires labels); `magnitude`, the norm of its weights; `activation`, the norm of its output.",
    )
    calibration_size: int = Field(1024, ge=32, description="Number of calibration examples, drawn with a fixed seed.")
    scope: Literal["layer", "global"] = Field(
        "layer", description="`layer` prunes all layers to the same shape; `global` allows different shapes."
    )
    multiple_of: int = Field(
        64,
        ge=1,
        description="Remaining widths are rounded to a multiple of this number. 64 suits 4-bit kernels and vector units.",
    )

    @model_validator(mode="after")
    def _need_one_budget(self) -> Structured:
        shares = self.heads is not None or self.ffn is not None
        if shares + (self.sparsity is not None) + (self.latency is not None) != 1:
            raise ValueError("needs exactly one of 'heads' and/or 'ffn', 'sparsity', and 'latency'")
        return self

    @property
    def calibration_needs_labels(self) -> bool:
        """Whether the calibration examples must be labelled."""
        return self.score == "taylor"


class Layers(Prune):
    """Drop whole layers (Sajjad et al., 2023)."""

    method: Literal["layers"] = Field(description="The method.")
    keep: list[int] = Field(min_length=1, description="Layers to keep, numbered from 0.", examples=[[0, 2, 4]])

    def after(self, name: str, parent: ModelState | None, layers_of: LayerCount) -> ModelState | str:
        """A float32 model with the layers that are kept."""
        found = super().after(name, parent, layers_of)
        if isinstance(found, str):
            return found
        wrong = layer_problem(self.keep, found.layers, f"the model that '{name}' prunes")
        return wrong or found._replace(layers=len(self.keep))


class Vocabulary(Prune):
    """Prune the vocabulary: keep the tokens that occur in the task's text and drop the other rows of the embedding table.

    Special tokens, single characters and their continuations are always kept, so that any text can still be tokenized.
    """

    keeps_vocabulary: ClassVar[bool] = False
    reads_key: ClassVar[str | None] = "text"

    method: Literal["vocabulary"] = Field(description="The method.")
    size: int | None = Field(
        None, ge=1, description="Maximum number of tokens to keep, most frequent first. Default: no limit."
    )
    min_count: int = Field(1, ge=1, description="Minimum number of occurrences in `text` of a token to keep.")
    text: list[str] = Field(
        ["train"], min_length=1, description="Examples whose tokens are counted: `train` and names of subsets."
    )


AnyPrune = Annotated[
    Magnitude | Wanda | Movement | Structured | Layers | Vocabulary,
    Field(discriminator="method"),
]


def masks_only(settings: dict[str, Any]) -> bool:
    """Whether the settings of a step, as a manifest holds them, are those of a method that only zeroes weights.

    >>> masks_only({"stage": "prune", "method": "wanda"}), masks_only({"stage": "quantize", "method": "static"})
    (True, False)
    """
    methods: tuple[type[Prune], ...] = get_args(get_args(AnyPrune)[0])
    masking = {name for each in methods if each.masks_only for name in get_args(each.model_fields["method"].annotation)}
    return settings.get("stage") == "prune" and settings.get("method") in masking
