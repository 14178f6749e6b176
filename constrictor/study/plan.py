"""What each lineage of a study needs: its step, where it starts, who taught it, what it is timed against."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from constrictor.machine import slow_here
from constrictor.study.chain import Shape, chain_problem, shape_of
from constrictor.study.lineage import all_nodes, last_step
from constrictor.study.replicate import Folding, Replicate
from constrictor.study.sources import SplitSources
from constrictor.study.steps.distil import Distil, SoftTargets, StudentModel
from constrictor.study.steps.export import Export
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.recovery import Recovery
from constrictor.study.study import AnyStep, Study
from constrictor.study.teachers import co_teachers, last_distillation, recovery_teacher


class Teaching(NamedTuple):
    """Who teaches a training, and how its logits and the labels are mixed."""

    teacher: str
    mixture: SoftTargets


# Settings of an export that writes the model as it is, so that our own rewrites count as what they are.
_PLAIN_EXPORT = {"optimize": False, "shape": None}


class Plan:
    """Answers the questions that the rules ask of a checked study."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def steps(self, stage: str) -> list[str]:
        """Names of the steps of one stage."""
        return [name for name, step in self.study.steps.items() if step.stage == stage]

    def step(self, lineage: str) -> AnyStep:
        """The step that ends a lineage."""
        return self.study.steps[last_step(lineage)]

    def start_model(self, lineage: str) -> str | None:
        """Name of the checkpoint that a lineage's last step starts from; None where it starts from its parent."""
        step = self.step(lineage)
        if isinstance(step, Finetune):
            return step.model_name
        if isinstance(step, Distil) and isinstance(step.student, StudentModel):
            return step.student.model
        return None

    def teaching(self, lineage: str) -> Teaching | None:
        """Who teaches the recovery at the end of a lineage; None where it learns from labels alone or not at all."""
        step, teacher = self.step(lineage), recovery_teacher(self.study, lineage)
        if teacher is None or not isinstance(step, Recovery):
            return None
        distillation = last_distillation(self.study, lineage)
        usual = self.step(distillation) if distillation else None
        mixture = usual if isinstance(usual, Distil) else SoftTargets()
        return Teaching(
            teacher,
            SoftTargets(
                alpha=mixture.alpha if step.alpha is None else step.alpha,
                temperature=mixture.temperature if step.temperature is None else step.temperature,
                loss=mixture.loss,
                hidden=step.hidden,
                attention=step.attention,
            ),
        )

    def teachers(self, lineage: str) -> list[str]:
        """The lineages whose logits the distillation at the end of a lineage learns from; the first is the parent."""
        return [lineage.rpartition("/")[0], *co_teachers(self.study, lineage)]

    @cached_property
    def replicates(self) -> list[str]:
        """Names of the repetitions, as they stand in paths."""
        folds = range(self.study.replicates.folds) if self.study.replicates.folds else [None]
        return [str(Replicate(seed, fold)) for seed in self.study.replicates.seeds for fold in folds]

    @property
    def timed_replicate(self) -> str:
        """The repetition whose models are timed: the first, since neither seeds nor folds change a shape."""
        return self.replicates[0]

    def folding(self, task: str) -> Folding:
        """How a task's examples are cut, in a study with folds."""
        settings, folds = self.study.tasks[task], self.study.replicates.folds
        assert folds is not None, "asked of a study with folds only"
        return Folding(
            folds=folds,
            keep_test=isinstance(settings.source, SplitSources) and settings.source.test is not None,
            validation=settings.split.validation,
            seed=settings.split.seed,
        )

    @cached_property
    def lineages(self) -> list[str]:
        """Every model that the recipes need, parents first."""
        return all_nodes(self.study.recipes.values())

    @property
    def slow_here(self) -> dict[str, str]:
        """The models that this machine does not run well, and why, by lineage."""
        shapes = {lineage: shape_of(self.study, lineage) for lineage in self.lineages}
        reasons = {
            lineage: slow_here(shape.precision, shape.format)
            for lineage, shape in shapes.items()
            if isinstance(shape, Shape)
        }
        return {lineage: reason for lineage, reason in reasons.items() if reason}

    @cached_property
    def comparison(self) -> dict[str, Any]:
        """The slice of the study that the comparison reads."""
        return {
            **self.study.report.model_dump(mode="json", exclude={"latency"}),
            "recipes": self.study.recipes,
            "gates": self._gates,
            "replicates": self.replicates,
            "folds": self.study.replicates.folds,
        }

    @property
    def _gates(self) -> dict[str, float]:
        """The largest accepted loss of the metric against the parent, of the lineages whose step has a gate."""
        gates = {lineage: self.step(lineage).gate for lineage in self.lineages}
        return {lineage: gate.max_drop for lineage, gate in gates.items() if gate is not None}

    @cached_property
    def speed_baselines(self) -> dict[str, str]:
        """The lineages that every model is timed against, by what the report calls them.

        They are the baseline itself and, where the study can export, the baseline as ONNX in float32, so that a
        speed-up says how much of it is the runtime's.
        """
        baseline = self.study.recipes[self.study.report.baseline]
        found = {"torch fp32": baseline}
        exports = [
            name for name, step in self.study.steps.items() if isinstance(step, Export) and step.format == "onnx"
        ]
        exports.sort(key=lambda name: self.study.steps[name].model_dump(include={*_PLAIN_EXPORT}) != _PLAIN_EXPORT)
        if exports and chain_problem(self.study, f"{baseline}/{exports[0]}") is None:
            found["ONNX fp32"] = f"{baseline}/{exports[0]}"
        return found
