"""What each job reads of the study, as canonical JSON or a file with it: a change reruns the jobs that read it, and no others."""

from __future__ import annotations

from constrictor.scheduling.long_arguments import argument
from constrictor.scheduling.wildcards import Wildcards
from constrictor.study.plan import Plan
from constrictor.study.replicate import Replicate


class JobSettings:
    """The parameters of the rules, as the functions of wildcards that Snakemake calls.

    Args:
        plan: the study's plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._study = plan.study

    def task(self, wildcards: Wildcards) -> str:
        """The task `name` without its extra test sets: adding one trains nothing again."""
        return self._task(wildcards.name)

    def extra_test_set(self, wildcards: Wildcards) -> str:
        """The task `name` with the extra test set `part` alone."""
        return self._task(wildcards.name, wildcards.part)

    def corpus(self, wildcards: Wildcards) -> str:
        """The corpus `name`."""
        return argument(self._study.corpora[wildcards.name].canonical())

    def checkpoint(self, wildcards: Wildcards) -> str:
        """The source of the model `name`."""
        return argument(self._study.models[wildcards.name].canonical())

    def subset(self, wildcards: Wildcards) -> str:
        """The subset `name`."""
        return argument(self._study.subsets[wildcards.name].canonical())

    def folding(self, wildcards: Wildcards) -> str:
        """How the task `name` is split into folds."""
        return argument(self._plan.folding(wildcards.name).canonical())

    def step(self, wildcards: Wildcards) -> str:
        """The step at the end of a lineage."""
        return argument(self._plan.step(wildcards.lineage).canonical())

    def seed(self, wildcards: Wildcards) -> int:
        """The seed of a replicate."""
        return Replicate.parse(wildcards.replicate).seed

    def _task(self, name: str, *parts: str) -> str:
        task = self._study.tasks[name]
        chosen = {part: task.extra_test_sets[part] for part in parts}
        return argument(task.model_copy(update={"extra_test_sets": chosen}).canonical())
