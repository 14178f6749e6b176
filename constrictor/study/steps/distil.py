"""Settings of the stage `distil`: train a student on the outputs of its parent."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag

from constrictor.study.layers import layer_problem
from constrictor.study.model_state import LayerCount, ModelState, not_float32
from constrictor.study.settings import Once, Settings, by_key
from constrictor.study.steps.adapter import Tuning
from constrictor.study.steps.feature_distillation import FeatureDistillation
from constrictor.study.steps.kept_head import ReplaceableHead
from constrictor.study.steps.recovery import Repeats
from constrictor.study.steps.schedules import Alpha, Temperature
from constrictor.study.steps.step import Initialization, Optimisation


class StudentLayers(Settings):
    """A student that is initialized with some layers of its teacher."""

    layers: list[int] = Field(min_length=1, description="Layers of the teacher to keep, numbered from 0.")


class StudentModel(Settings):
    """A student that is initialized from a checkpoint."""

    model: str = Field(description="Name of the model.")
    layers: list[int] | None = Field(
        None, min_length=1, description="Layers of the model to keep, numbered from 0. Default: all."
    )


Student = Annotated[
    Annotated[StudentModel, Tag("model")] | Annotated[StudentLayers, Tag("layers")],
    Discriminator(
        by_key(model="model", layers="layers"),
        custom_error_type="student",
        custom_error_message="needs the key 'layers' (of the teacher) or 'model' (the name of a model)",
    ),
]


class SoftTargets(FeatureDistillation):
    """Distillation settings: alpha * (loss on the teacher's soft targets) + (1 - alpha) * (loss on labels)."""

    alpha: Alpha = Field(
        0.5,
        description="Weight of the loss on soft targets; the loss on labels has weight 1 - alpha. A number or a schedule.",
    )
    temperature: Temperature = Field(
        2.0, description="Softmax temperature of teacher and student. A number or a schedule."
    )
    loss: Literal["kl", "mse", "hard"] = Field(
        "kl",
        description="Loss on the teacher's logits: `kl` divergence at the temperature, `mse` of the logits (Kim et al., 2021), "
        "or `hard`, cross-entropy with the teacher's prediction. `mse` and `hard` do not use the temperature.",
    )


class Distil(Optimisation, SoftTargets, Tuning, ReplaceableHead):
    """Knowledge distillation (Hinton et al., 2015) with the parent as the teacher."""

    stage: Literal["distil"] = Field(description="The stage.")
    student: Student = Field(
        description="Initialization of the student: some of the teacher's layers, or a model or some of its layers.",
        examples=[{"layers": [0, 2, 4]}, {"model": "minilm"}, {"model": "minilm", "layers": [0, 2, 4]}],
    )
    train_on: Repeats = Field(
        {"train": 1},
        description="Training examples: `train` and names of subsets, labelled or not. Each item of a list is used once per "
        "epoch; `{train: 3, imdb_60k: 1}` sets the repeats per epoch.",
        examples=[["train", "imdb_60k"]],
    )
    co_teachers: Annotated[list[str], Once] = Field(
        [],
        description="Recipes whose models are further teachers; the soft targets are the mean of all teachers' logits.",
        examples=[["large", "large_int8"]],
    )
    epochs: int = Field(3, ge=1, description="Number of epochs over `train_on`.")
    dropout: float | None = Field(
        0.0,
        ge=0,
        lt=1,
        description="Dropout probability during training. Soft targets already regularize, hence 0; `null` keeps the model's "
        "own.",
    )

    @property
    def initialization(self) -> Initialization | None:
        """The student's checkpoint, if it has one."""
        student = self.student
        if isinstance(student, StudentLayers):
            return None
        return Initialization(student.model, student.layers, ("student", "model"))

    @property
    def training_epochs(self) -> int:
        """Number of training epochs."""
        return self.epochs

    @property
    def training_sets(self) -> dict[str, int]:
        """The training examples."""
        return self.train_on

    def with_labels_alone(self) -> Self:
        """The same student, trained as long on the same examples, with the loss on labels alone."""
        teaching = SoftTargets(alpha=0.0).model_dump(include={*SoftTargets.model_fields})
        return self.model_copy(update={**teaching, "co_teachers": []})

    def after(self, name: str, parent: ModelState | None, layers_of: LayerCount) -> ModelState | str:
        """A float32 student."""
        if parent is None:
            return f"'{name}' distils and has no teacher. Put the step that builds the teacher before it: 'teacher/{name}'."
        student = self._student(name, parent, layers_of)
        return student if isinstance(student, str) else self.teacher_problem(name, student, parent) or student

    def _student(self, name: str, teacher: ModelState, layers_of: LayerCount) -> ModelState | str:
        if isinstance(self.student, StudentModel):
            kept = self.student.layers
            return ModelState("torch", "fp32", len(kept) if kept else layers_of(self.student.model))
        if not teacher.is_float32:
            return not_float32(name, "takes its student's layers from its teacher", teacher)
        wrong = layer_problem(self.student.layers, teacher.layers, f"the teacher of '{name}'")
        return wrong or ModelState("torch", "fp32", len(self.student.layers))
