"""What each training of a study reads and writes: its plan, as one value, and the files that the plan names."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from constrictor.scheduling.long_arguments import argument
from constrictor.scheduling.paths import MANIFEST, Layout
from constrictor.scheduling.wildcards import Wildcards
from constrictor.study.plan import Plan
from constrictor.study.steps.distil import Distil, SoftTargets
from constrictor.study.training_plan import TrainingPlan, TrainingSet

NO_PLAN = "null"
"""What stands in the place of a plan where nothing is trained."""


class _Teachers(NamedTuple):
    """The lineages whose outputs are learned from, and how; the first is the online teacher, where one is needed."""

    lineages: list[str]
    soft_targets: SoftTargets | None


class Trainings:
    """The trainings of a study.

    Args:
        plan: the study's plan.
        layout: where its files lie.
    """

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self._plan = plan
        self._layout = layout

    def steps(self, stage: str, trains: bool) -> list[str]:
        """The names of a stage's steps that train, or of those that do not."""
        return [name for name in self._plan.steps(stage) if self._plan.study.steps[name].computes_gradients is trains]

    def plan(self, wildcards: Wildcards) -> TrainingPlan | None:
        """The plan of the step at the end of a lineage; None where it trains nothing."""
        step = self._plan.step(wildcards.lineage)
        if not step.trains:
            return None
        teachers = self._teachers(wildcards.lineage)
        sets = [
            TrainingSet(
                examples=Path(self._layout.examples(wildcards.task, wildcards.replicate, subset)),
                outputs=[
                    Path(self._node_file(wildcards, teacher, f"outputs/{subset}.parquet"))
                    for teacher in teachers.lineages
                ],
                repeats=count,
            )
            for subset, count in step.training_sets.items()
        ]
        manifest = self._online_teacher(wildcards, teachers)
        return TrainingPlan(
            sets=sets, soft_targets=teachers.soft_targets, teacher=Path(manifest).parent if manifest else None
        )

    def plan_json(self, wildcards: Wildcards) -> str:
        """The plan as canonical JSON, or a file with it: the parameter of a rule."""
        plan = self.plan(wildcards)
        return argument(plan.canonical()) if plan else NO_PLAN

    def files(self, wildcards: Wildcards) -> list[str]:
        """The files that the plan names: examples, teachers' outputs, and the manifest of an online teacher."""
        plan = self.plan(wildcards)
        if plan is None:
            return []
        manifest = self._online_teacher(wildcards, self._teachers(wildcards.lineage))
        return [*map(str, plan.files), *([manifest] if manifest else [])]

    def records(self, wildcards: Wildcards) -> list[str]:
        """The ``training.json`` of every model of a task whose step writes one."""
        return [
            self._layout.node_file(wildcards.task, replicate, lineage, "training.json")
            for replicate in self._plan.replicates
            for lineage in self._plan.lineages
            if self._plan.step(lineage).computes_gradients
        ]

    def subsets(self, wildcards: Wildcards) -> list[str]:
        """The subsets that some model of a task was trained on."""
        return list(
            dict.fromkeys(
                self._layout.examples(wildcards.task, replicate, subset)
                for step in map(self._plan.step, self._plan.lineages)
                if step.trains
                for subset in step.training_sets
                if subset != "train"
                for replicate in self._plan.replicates
            )
        )

    def _teachers(self, lineage: str) -> _Teachers:
        step = self._plan.step(lineage)
        if isinstance(step, Distil):
            keys = set(SoftTargets.model_fields)
            return _Teachers(
                self._plan.teachers(lineage), SoftTargets.model_validate(step.model_dump(include=keys, by_alias=True))
            )
        assigned = self._plan.teacher_assignment(lineage)
        return _Teachers([assigned.teacher], assigned.distillation) if assigned else _Teachers([], None)

    def _online_teacher(self, wildcards: Wildcards, teachers: _Teachers) -> str | None:
        """The manifest of the teacher whose intermediate representations are needed."""
        if teachers.soft_targets is None or not teachers.soft_targets.needs_online_teacher:
            return None
        return self._node_file(wildcards, teachers.lineages[0], MANIFEST)

    def _node_file(self, wildcards: Wildcards, lineage: str, name: str) -> str:
        return self._layout.node_file(wildcards.task, wildcards.replicate, lineage, name)
