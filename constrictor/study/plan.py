"""What each lineage of a study needs: its step, its checkpoint, its teachers, its baselines."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from constrictor.machine import Machine, this_machine
from constrictor.study.chain import chain_problem, model_state, precision_step
from constrictor.study.lineage import all_nodes, last_step
from constrictor.study.model_state import ModelState
from constrictor.study.replicate import Folding, Replicate
from constrictor.study.sources import SplitSources
from constrictor.study.steps.distil import Distil, SoftTargets
from constrictor.study.steps.export import Export
from constrictor.study.steps.recovery import Recovery
from constrictor.study.study import AnyStep, Study
from constrictor.study.teachers import co_teachers, last_distillation, recovery_teacher


class TeacherAssignment(NamedTuple):
    """The teacher of a recovery fine-tuning.

    Attributes:
        teacher: its lineage.
        distillation: the distillation settings.
    """

    teacher: str
    distillation: SoftTargets


# Settings of an export without our rewrites, so that their speed-up is not part of the baseline.
_PLAIN_EXPORT = {"optimize": False, "shape": None}


class Plan:
    """Everything that rules need from a checked study."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def steps(self, stage: str) -> list[str]:
        """Names of the steps of one stage."""
        return [name for name, step in self.study.steps.items() if step.stage == stage]

    def step(self, lineage: str) -> AnyStep:
        """The step that ends a lineage."""
        return self.study.steps[last_step(lineage)]

    def start_model(self, lineage: str) -> str | None:
        """Name of the checkpoint that a lineage's last step starts from; None if it starts from its parent."""
        found = self.step(lineage).initialization
        return found.model if found else None

    def teacher_assignment(self, lineage: str) -> TeacherAssignment | None:
        """The teacher of the recovery fine-tuning at the end of a lineage; None if it uses labels only, or there is none."""
        step, teacher = self.step(lineage), recovery_teacher(self.study, lineage)
        if teacher is None or not isinstance(step, Recovery):
            return None
        last = last_distillation(self.study, lineage)
        distil = self.step(last) if last else None
        default = distil if isinstance(distil, Distil) else SoftTargets()
        return TeacherAssignment(
            teacher,
            SoftTargets(
                alpha=default.alpha if step.alpha is None else step.alpha,
                temperature=default.temperature if step.temperature is None else step.temperature,
                loss=default.loss,
                hidden=step.hidden,
                attention=step.attention,
            ),
        )

    def teachers(self, lineage: str) -> list[str]:
        """The teachers of the distillation at the end of a lineage; the first is the parent."""
        return [lineage.rpartition("/")[0], *co_teachers(self.study, lineage)]

    @cached_property
    def replicates(self) -> list[str]:
        """Names of the replicates, as in paths."""
        folds = range(self.study.replicates.folds) if self.study.replicates.folds else [None]
        return [str(Replicate(seed, fold)) for seed in self.study.replicates.seeds for fold in folds]

    @property
    def timed_replicate(self) -> str:
        """The replicate whose models are timed: the first, since neither seeds nor folds change a shape."""
        return self.replicates[0]

    def folding(self, task: str) -> Folding:
        """How a task's examples are split into folds, in a study that has some."""
        settings, folds = self.study.tasks[task], self.study.replicates.folds
        assert folds is not None, "the study has folds"
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
        """The models that are slow on this machine, and why, by lineage."""
        reasons = {lineage: self._slow_on(this_machine(), lineage) for lineage in self.lineages}
        return {lineage: reason for lineage, reason in reasons.items() if reason}

    def _slow_on(self, machine: Machine, lineage: str) -> str | None:
        state, step = model_state(self.study, lineage), precision_step(self.study, lineage)
        return step.slow_on(machine, state.format) if step and isinstance(state, ModelState) else None

    @cached_property
    def comparison(self) -> dict[str, Any]:
        """The part of the study that the comparison reads."""
        return {
            **self.study.report.model_dump(mode="json", exclude={"latency"}),
            "recipes": self.study.recipes,
            "gates": self._gates,
            "replicates": self.replicates,
            "folds": self.study.replicates.folds,
        }

    @property
    def _gates(self) -> dict[str, float]:
        """The largest accepted drop of the metric relative to the parent, by lineage, for the steps with a gate."""
        gates = {lineage: self.step(lineage).gate for lineage in self.lineages}
        return {lineage: gate.max_drop for lineage, gate in gates.items() if gate is not None}

    @cached_property
    def speed_baselines(self) -> dict[str, str]:
        """The lineages that every model is timed against, by their names in the report.

        They are the baseline itself and, if the study has an export step, the baseline as a float32 ONNX model, so that a
        speed-up can be distinguished from that of the runtime.
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
