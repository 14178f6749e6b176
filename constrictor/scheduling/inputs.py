"""Which files a job reads, by its wildcards. The methods are the input functions of the rules."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from constrictor.scheduling.paths import MANIFEST, Layout
from constrictor.scheduling.source_files import local_files
from constrictor.scheduling.wildcards import Wildcards
from constrictor.study.lineage import parent_of
from constrictor.study.plan import Plan
from constrictor.study.splits import HELD_OUT, SPLITS


class Inputs:
    """The inputs of every rule except for what its training reads (:class:`~constrictor.scheduling.trainings.Trainings`).

    Args:
        plan: the study's plan.
        layout: where its files lie.
    """

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self._plan = plan
        self._study = plan.study
        self._layout = layout

    # Sources

    def data_source(self, wildcards: Wildcards) -> list[str]:
        """The files on this machine that a task or corpus is read from; none for a package or a hub."""
        return local_files((self._study.tasks.get(wildcards.name) or self._study.corpora[wildcards.name]).source)

    def extra_test_source(self, wildcards: Wildcards) -> list[str]:
        """The file on this machine that an extra test set is read from."""
        return local_files(self._study.tasks[wildcards.name].extra_test_sets[wildcards.part])

    def checkpoint_source(self, wildcards: Wildcards) -> list[str]:
        """The files on this machine that a checkpoint is copied from: configuration, weights and tokenizer."""
        return local_files(self._study.models[wildcards.name])

    def all_sources(self) -> list[Path]:
        """Every folder and file that some job may read: the workflow's own, and the user's."""
        tasks, study = self._study.tasks.values(), self._study
        parts = [part.source for part in (*tasks, *study.corpora.values())]
        parts += [source for task in tasks for source in task.extra_test_sets.values()]
        files = [file for source in (*parts, *study.models.values()) for file in local_files(source)]
        return [Path(path) for path in (self._layout.data, self._layout.results, *files)]

    # Subsets

    def pool(self, wildcards: Wildcards) -> str:
        """The examples that a subset is selected from."""
        origin = self._study.subsets[wildcards.name].of
        if origin in self._study.corpora:
            return self._layout.corpus(origin)
        return f"{self._layout.data}/tasks/{origin}/{wildcards.fold}train.parquet"

    def task_of_pool(self, wildcards: Wildcards) -> list[str]:
        """The manifest of the task that a subset is selected from; none for a corpus."""
        origin = self._study.subsets[wildcards.name].of
        if origin in self._study.corpora:
            return []
        return [f"{self._layout.data}/tasks/{origin}/{wildcards.fold}manifest.json"]

    def held_out(self, wildcards: Wildcards) -> list[str]:
        """The examples that a selection from a corpus avoids: validation and test of all tasks, in every fold."""
        if self._study.subsets[wildcards.name].of not in self._study.corpora:
            return []
        splits = SPLITS if self._study.replicates.folds else HELD_OUT
        own = [f"{self._layout.data}/tasks/{task}/{split}.parquet" for task in self._study.tasks for split in splits]
        return own + [file for task in self._study.tasks for file in self._extra_test_sets(task).values()]

    # Models

    def parent_model(self, wildcards: Wildcards) -> str:
        """The manifest of the model that a step works on."""
        return self._node_file(wildcards, str(parent_of(wildcards.lineage)), MANIFEST)

    def initial_model(self, wildcards: Wildcards) -> str:
        """The manifest of the model whose weights a training starts from: a fetched checkpoint or the parent."""
        name = self._plan.start_model(wildcards.lineage)
        return self._layout.checkpoint(name) if name else self.parent_model(wildcards)

    def baseline_models(self, wildcards: Wildcards) -> list[str]:
        """The manifests of the models that every other is timed in turn with."""
        return [self._node_file(wildcards, lineage, MANIFEST) for lineage in self._plan.speed_baselines.values()]

    def named_baselines(self, wildcards: Wildcards) -> list[str]:
        """The same as arguments: ``name=manifest``, with the name that the report uses."""
        files = self.baseline_models(wildcards)
        return [f"{name}={file}" for name, file in zip(self._plan.speed_baselines, files, strict=True)]

    def fair_baseline(self, wildcards: Wildcards) -> str:
        """The record of how the float32 baseline computes fastest."""
        baseline = self._study.recipes[self._study.report.baseline]
        return self._node_file(wildcards, baseline, "fair_baseline.json")

    # Examples

    def task_manifest(self, wildcards: Wildcards) -> str:
        """The manifest of the prepared task, of the replicate's fold."""
        return self._layout.task_file(wildcards.task, wildcards.replicate, "manifest.json")

    def validation(self, wildcards: Wildcards) -> str:
        """The validation examples."""
        return self._layout.task_file(wildcards.task, wildcards.replicate, "validation.parquet")

    def test(self, wildcards: Wildcards) -> str:
        """The test examples."""
        return self._layout.task_file(wildcards.task, wildcards.replicate, "test.parquet")

    def extra_test_sets(self, wildcards: Wildcards) -> list[str]:
        """The extra test sets of a task."""
        return list(self._extra_test_sets(wildcards.task).values())

    def named_extra_test_sets(self, wildcards: Wildcards) -> list[str]:
        """The same as arguments: ``name=file``."""
        return [f"{name}={file}" for name, file in self._extra_test_sets(wildcards.task).items()]

    def labelled_subset(self, wildcards: Wildcards) -> str:
        """The examples that a teacher labels."""
        return self._layout.examples(wildcards.task, wildcards.replicate, wildcards.subset)

    def calibration(self, wildcards: Wildcards) -> list[str]:
        """The examples that a method calibrates on; none for most methods."""
        subsets = self._plan.step(wildcards.lineage).reads
        return [self._layout.examples(wildcards.task, wildcards.replicate, subset) for subset in subsets]

    # Comparison and targets

    def outputs_of(
        self, lineages: Iterable[str], names: Iterable[str], tasks: Iterable[str] | None = None
    ) -> list[str]:
        """These files of these lineages, in all replicates of some tasks (default: all). One replicate is timed."""
        lineages, names = list(lineages), list(names)
        return [
            self._layout.node_file(task, replicate, lineage, name)
            for task in (self._study.tasks if tasks is None else tasks)
            for name in names
            for replicate in ([self._plan.timed_replicate] if name == "latency.json" else self._plan.replicates)
            for lineage in lineages
        ]

    def quality(self, wildcards: Wildcards) -> list[str]:
        """What the comparison reads of every model of a task."""
        return self.outputs_of(self._plan.lineages, [MANIFEST, "metrics.json", "predictions.parquet"], [wildcards.task])

    def speed(self, wildcards: Wildcards) -> list[str]:
        """The timings of a task's recipes."""
        return self.outputs_of(dict.fromkeys(self._study.recipes.values()), ["latency.json"], [wildcards.task])

    def _node_file(self, wildcards: Wildcards, lineage: str, name: str) -> str:
        return self._layout.node_file(wildcards.task, wildcards.replicate, lineage, name)

    def _extra_test_sets(self, task: str) -> dict[str, str]:
        return {part: self._layout.extra_test_set(task, part) for part in self._study.tasks[task].extra_test_sets}
