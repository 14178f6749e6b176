"""Settings of a study: which models to build, on which data, and what to report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PrivateAttr

from constrictor.study.corpora import Corpus, Subset
from constrictor.study.report import Report
from constrictor.study.settings import Name, Once, Settings
from constrictor.study.sources import ModelSource
from constrictor.study.steps.checkpoint import Checkpoint
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.export import Export
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.prune import AnyPrune
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.study.tasks import AnyTask

AnyStep = Annotated[Checkpoint | Finetune | Distil | AnyPrune | AnyQuantize | Export, Field(discriminator="stage")]


class Replicates(Settings):
    """Repetitions of the whole study, to estimate how much of a difference is due to chance."""

    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Once] = Field(
        [42],
        min_length=1,
        description="One replicate per seed. The seed determines new heads, the order of examples and dropout.",
    )
    folds: int | None = Field(
        None,
        ge=2,
        description="Number of folds for stratified cross-validation: one replicate per seed and fold. A fold is the test "
        "split, or the validation split if the source provides a test split. All seeds share the folds, which are drawn with "
        "the task's `split.seed`. Default: no cross-validation.",
        examples=[5],
    )


class Study(Settings):
    """A study file."""

    extends: str | None = Field(
        None,
        description="Path of a base study, relative to this file. This study is merged into it, key by key; `null` removes a key "
        "of the base.",
        examples=["../config.yaml"],
    )
    name: Name = Field(description="Name of the study. Results are written to `results/<name>/`.")
    replicates: Replicates = Field(default_factory=Replicates, description="Repetitions of the whole study.")
    tasks: dict[Name, AnyTask] = Field(min_length=1, description="Tasks, by name.")
    models: dict[Name, ModelSource] = Field({}, description="Checkpoints to start from, by name.")
    corpora: dict[Name, Corpus] = Field({}, description="Unlabelled text, by name.")
    subsets: dict[Name, Subset] = Field({}, description="Selections of training examples, by name.")
    steps: dict[Name, AnyStep] = Field(min_length=1, description="Operations on models, by name.")
    recipes: dict[Name, str] = Field(
        min_length=1,
        description="Chains of steps, by name, written as paths: `teacher/kd/mag40/int8`. Each name is a Snakemake target.",
    )
    report: Report = Field(description="Baselines and statistics of the report.")
    trackers: Annotated[list[Literal["wandb", "mlflow", "tensorboard"]], Once] = Field(
        [],
        description="Experiment trackers, which must be installed. They write to the `logs/` folder of each model, offline. A "
        "change recomputes nothing.",
        examples=[["tensorboard"]],
    )

    _variants: dict[str, list[str]] = PrivateAttr({})

    @property
    def variants(self) -> dict[str, list[str]]:
        """The names of the recipes that grids expand a recipe into, by its name."""
        return self._variants

    @property
    def targets(self) -> dict[str, list[str]]:
        """The lineages of each recipe name: one, or one per combination of its grids."""
        single = {name: [lineage] for name, lineage in self.recipes.items()}
        return {
            **single,
            **{name: [self.recipes[each] for each in several] for name, several in self._variants.items()},
        }

    def with_variants(self, variants: dict[str, list[str]]) -> Study:
        """This study with the names of the recipes that grids expand a recipe into."""
        self._variants = variants
        return self
