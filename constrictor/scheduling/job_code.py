"""The digest of the code behind every rule, as the functions of wildcards that Snakemake calls."""

from __future__ import annotations

from collections.abc import Callable

from constrictor.scheduling.code_digest import code_digest, kind_modules
from constrictor.scheduling.wildcards import Wildcards
from constrictor.study.study import Study


class JobCode:
    """The code of the jobs of a study. The kind of a job's task brings modules of its own.

    Args:
        study: the study.
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    def of(self, rule: str) -> str:
        """The digest of a rule whose jobs belong to no task."""
        return code_digest(f"workflow_scripts.{rule}")

    def of_task(self, rule: str, *further: str, trains: bool = False) -> Callable[[Wildcards], str]:
        """The digests of a rule with the wildcard `task`.

        Args:
            rule: name of its script.
            further: modules that the script starts and does not import.
            trains: whether its jobs build a model for the task, and so need the kind's `model` module.
        """
        parts = ("model",) if trains else ()
        return lambda wildcards: self._digest(rule, wildcards.task, parts, *further)

    def of_named_task(self, rule: str, *parts: str) -> Callable[[Wildcards], str]:
        """The digests of a rule that prepares the task `name`.

        Args:
            rule: name of its script.
            parts: modules of the kind that its jobs load by name.
        """
        return lambda wildcards: self._digest(rule, wildcards.name, parts)

    def of_subset(self, rule: str) -> Callable[[Wildcards], str]:
        """The digests of a rule that selects the subset `name`, of a task or of a corpus."""
        return lambda wildcards: self._digest(rule, self._study.subsets[wildcards.name].of, ())

    def _digest(self, rule: str, task: str, parts: tuple[str, ...], *further: str) -> str:
        settings = self._study.tasks.get(task)  # None for a corpus
        modules = kind_modules(settings.kind, *parts) if settings else ()
        return code_digest(f"workflow_scripts.{rule}", *further, *modules)
