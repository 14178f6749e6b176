"""Settings of every step, and of every step that trains."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Discriminator, Field, Tag

from constrictor.machine import Machine
from constrictor.study.model_state import LayerCount, ModelState
from constrictor.study.settings import MAPPING, PLAIN, Label, Settings, plain_or_mapping

ClassWeights = Annotated[
    Annotated[Literal["balanced"], Tag(PLAIN)] | Annotated[dict[Label, Annotated[float, Field(gt=0)]], Tag(MAPPING)],
    Discriminator(plain_or_mapping),
]
Precision = Literal["auto", "fp32", "tf32", "bf16", "fp16"]


class Gate(Settings):
    """The largest loss of quality at which the report accepts the step's model."""

    max_drop: float = Field(
        gt=0,
        lt=1,
        description="Largest accepted drop of the metric relative to the parent, as a fraction: 0.02 is 2 points.",
    )


class Initialization(NamedTuple):
    """The checkpoint that a step starts from, instead of its parent.

    Attributes:
        model: name of the model.
        layers: layers that are kept of it; None for all.
        key: path of the key that names the model, within the step.
    """

    model: str
    layers: list[int] | None
    key: tuple[str, ...]


class Step(Settings):
    """A named operation on a model."""

    # What other code needs from a step is defined here, so that a new method is complete with its settings class.

    uses_gpu: ClassVar[bool] = False
    """Whether the step computes on a GPU if there is one."""
    computes_gradients: ClassVar[bool] = False
    """Whether the step may run backward passes, and therefore needs the memory of a training."""
    keeps_vocabulary: ClassVar[bool] = True
    """Whether the model has the same vocabulary after the step."""
    reads_key: ClassVar[str | None] = None
    """The key that names the subsets which the step calibrates on."""

    gate: Gate | None = Field(
        None,
        exclude=True,  # read by the report only: a changed gate recomputes nothing but the comparison
        description="Quality gate. A model that exceeds it is marked as rejected in the report; later steps still run. "
        "Default: no gate.",
    )
    grid: dict[str, list[Any]] | None = Field(
        None,
        description="Grid of values for keys of this step. The step is expanded into one step per combination, named after "
        "its values (`kd-alpha0.5-temperature2`), and a recipe that names the step into one recipe per combination.",
        examples=[{"alpha": [0.5, 0.9], "temperature": [2, 4]}],
    )

    @property
    def initialization(self) -> Initialization | None:
        """The checkpoint that the step starts from; None if it starts from its parent."""
        return None

    @property
    def training_epochs(self) -> int:
        """Number of training epochs."""
        return 0

    @property
    def trains(self) -> bool:
        """Whether the step trains."""
        return self.training_epochs > 0

    @property
    def training_sets(self) -> dict[str, int]:
        """Names of the subsets that the step trains on, with their repeats per epoch."""
        return {}

    @property
    def training_batch_size(self) -> int:
        """Examples per forward and backward pass; 0 if the step has none."""
        return 0

    @property
    def reads(self) -> list[str]:
        """Names of the subsets that the step calibrates on, or whose tokens it counts."""
        named = getattr(self, self.reads_key) if self.reads_key else []
        return [named] if isinstance(named, str) else list(named)

    def after(self, name: str, parent: ModelState | None, layers_of: LayerCount) -> ModelState | str:
        """The state of the model that this step builds, or the reason why it cannot be built.

        Args:
            name: the step's name, for the message.
            parent: the state of the parent; None if the step begins a recipe.
            layers_of: number of layers of a checkpoint.
        """
        raise NotImplementedError

    def with_labels_alone(self) -> Self:
        """This step without a teacher, for a control; itself if it has none."""
        return self

    def slow_on(self, machine: Machine, format: str) -> str | None:
        """Why a model in this step's precision is slow on a machine; None if it is not.

        Args:
            machine: the machine.
            format: the format of the model's files.
        """
        return None


class Optimisation(Step):
    """Training with AdamW (Loshchilov and Hutter, 2019)."""

    topic: ClassVar[str] = "training"
    uses_gpu: ClassVar[bool] = True
    computes_gradients: ClassVar[bool] = True

    lr: float = Field(5e-5, gt=0, description="Peak learning rate.")
    batch_size: int = Field(32, ge=1, description="Examples per forward and backward pass.")
    gradient_accumulation: int = Field(
        1, ge=1, description="Backward passes whose gradients are accumulated for one optimizer step."
    )
    warmup: float = Field(
        0.1, ge=0, lt=1, description="Fraction of the optimizer steps over which the learning rate rises from 0."
    )
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="Learning rate decay after warmup.")
    weight_decay: float = Field(
        0.01, ge=0, description="Decoupled weight decay; not applied to biases and normalization weights."
    )
    max_gradient_norm: float = Field(1.0, gt=0, description="Maximum global norm for gradient clipping.")
    dropout: float | None = Field(
        None, ge=0, lt=1, description="Dropout probability during training. Default: the model's own."
    )
    weight_average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Decay per optimizer step of an exponential moving average of the weights, which is validated and saved "
        "instead of the weights (Polyak and Juditsky, 1992). 0.995 suits a few hundred steps. Default: no averaging.",
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="Early stopping: number of epochs without improvement of the validation metric. Default: no early "
        "stopping.",
    )
    precision: Precision = Field(
        "auto",
        description="Precision of matrix products. `auto` selects bf16 if the device supports it natively, else fp16 with "
        "loss scaling on GPUs with tensor cores, else fp32. `tf32` uses TensorFloat-32 on GPUs (Ampere or newer).",
    )
    class_weights: ClassWeights | None = Field(
        None,
        description="Class weights in the loss on labels: `balanced` uses n / (classes * count), as scikit-learn does; a "
        "mapping sets them by class, 1 for classes not listed. For single-label classification. Default: no weights.",
        examples=["balanced", {"toxic": 3.0}],
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Recompute activations in the backward pass: less memory, about a third more time, the same result.",
    )

    @property
    def training_batch_size(self) -> int:
        """Examples per forward and backward pass."""
        return self.batch_size
