"""A study: one file that says which models to build, on what, and what to report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PrivateAttr

from constrictor.study.corpora import Corpus, Subset
from constrictor.study.report import Report
from constrictor.study.settings import Name, Once, Settings
from constrictor.study.sources import ModelSource
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.export import Export
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.prune import AnyPrune
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.study.tasks import AnyTask

AnyStep = Annotated[Finetune | Distil | AnyPrune | AnyQuantize | Export, Field(discriminator="stage")]


class Replicates(Settings):
    """How often everything is done, to see how much of a difference is chance."""

    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Once] = Field(
        [42], min_length=1, description="One repetition a seed; it draws new heads, the order of examples and dropout."
    )
    folds: int | None = Field(
        None,
        ge=2,
        description="Cross-validation: cut the examples in this many parts, class by class, and do everything once a "
        "part. The part is the test split then (the validation split where the data bring a test split). The parts are "
        "the same for all seeds: `split.seed` of the task draws them. Default: one split, no folds.",
        examples=[5],
    )


class Study(Settings):
    """A study file."""

    extends: str | None = Field(
        None,
        description="Another study that this one is laid over, key by key; a path relative to this file. `null` takes away "
        "what stands there.",
        examples=["../config.yaml"],
    )
    name: Name = Field(description="Name of the study: its results lie in `results/<name>/`.")
    replicates: Replicates = Field(default_factory=Replicates, description="Repetitions of every task.")
    tasks: dict[Name, AnyTask] = Field(min_length=1, description="The problems to solve.")
    models: dict[Name, ModelSource] = Field({}, description="Checkpoints to start from.")
    corpora: dict[Name, Corpus] = Field({}, description="Unlabelled text.")
    subsets: dict[Name, Subset] = Field({}, description="Named selections from tasks and corpora.")
    steps: dict[Name, AnyStep] = Field(min_length=1, description="Named operations on models.")
    recipes: dict[Name, str] = Field(
        min_length=1,
        description="Chains of steps, written as a path: `teacher/kd/mag40/int8`. Each name is a target of its own.",
    )
    report: Report = Field(description="What the models are compared with.")
    trackers: Annotated[list[Literal["wandb", "mlflow", "tensorboard"]], Once] = Field(
        [],
        description="Programs that follow the trainings, each to be installed by you. They write below each model's "
        "`logs/`, offline; a change computes nothing again.",
        examples=[["tensorboard"]],
    )

    _variants: dict[str, list[str]] = PrivateAttr({})

    @property
    def variants(self) -> dict[str, list[str]]:
        """The names of the recipes that grids have made of one, by its name."""
        return self._variants

    @property
    def targets(self) -> dict[str, list[str]]:
        """The lineages that each name of a recipe means: one, or as many as grids have made of it."""
        single = {name: [lineage] for name, lineage in self.recipes.items()}
        return {
            **single,
            **{name: [self.recipes[each] for each in several] for name, several in self._variants.items()},
        }

    def with_variants(self, variants: dict[str, list[str]]) -> Study:
        """This study, which knows the names of the recipes that grids have made of one."""
        self._variants = variants
        return self
