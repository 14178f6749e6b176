"""Where the files of a study lie: prepared data, models and measurements, and reports.

A model's address is its lineage: ``results/<study>/<task>/<replicate>/<step>/<step>/…``.
"""

from __future__ import annotations

from pathlib import Path

from constrictor.files.writing import refuse_file_for, refuse_unwritable
from constrictor.study.replicate import Replicate
from constrictor.study.splits import SPLITS
from constrictor.study.study import Study

MANIFEST = "model/manifest.json"


class Layout:
    """The paths of one study, as the strings that Snakemake compares.

    Attributes:
        data: folder of prepared tasks, corpora, checkpoints and subsets.
        results: folder of models and measurements.
        reports: folder of comparisons.
        node: pattern of a model's folder, with the wildcards ``task``, ``replicate`` and ``lineage``.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self.data, self.results, self.reports = (f"{top}/{study.name}" for top in ("data", "results", "reports"))
        self.node = f"{self.results}/{{task}}/{{replicate}}/{{lineage}}"

    @property
    def folders(self) -> list[Path]:
        """The folders that hold everything the workflow writes."""
        return [Path(self.data), Path(self.results), Path(self.reports)]

    def refuse_files(self) -> None:
        """Refuse files that lie where the workflow needs folders; planning lists these folders.

        Raises:
            ConstrictorError: naming the file.
        """
        for folder in self.folders:
            refuse_file_for(folder)

    def refuse_unwritable(self) -> None:
        """Refuse folders that nothing can be written to, before the first job.

        Raises:
            ConstrictorError: naming the folder.
        """
        for folder in self.folders:
            refuse_unwritable(folder)

    def node_file(self, task: str, replicate: str, lineage: str, name: str) -> str:
        """A file of a model: of its artifact, its outputs or its measurements."""
        return f"{self.results}/{task}/{replicate}/{lineage}/{name}"

    def task_file(self, task: str, replicate: str, name: str) -> str:
        """A file of a prepared task; in a study with folds, of the replicate's fold."""
        return f"{self.data}/tasks/{task}/{fold_folder(replicate)}{name}"

    def splits(self, task: str) -> list[str]:
        """The examples of a prepared task before it is split into folds."""
        return [f"{self.data}/tasks/{task}/{split}.parquet" for split in SPLITS]

    def folds(self, task: str) -> list[str]:
        """Every file of a task's folds: in each, a manifest and the splits."""
        return [
            f"{self.data}/tasks/{task}/fold{fold}/{name}"
            for fold in range(self._study.replicates.folds or 0)
            for name in ("manifest.json", *(f"{split}.parquet" for split in SPLITS))
        ]

    def extra_test_set(self, task: str, part: str) -> str:
        """The examples of an extra test set."""
        return f"{self.data}/tasks/{task}/extra_test_sets/{part}.parquet"

    def corpus(self, name: str) -> str:
        """The examples of a corpus."""
        return f"{self.data}/corpora/{name}/texts.parquet"

    def checkpoint(self, name: str) -> str:
        """The manifest of a fetched checkpoint."""
        return f"{self.data}/models/{name}/manifest.json"

    def examples(self, task: str, replicate: str, subset: str) -> str:
        """The examples of a training split (`train`) or a subset. A task's subsets are selected in each fold, a corpus's once."""
        if subset == "train":
            return self.task_file(task, replicate, "train.parquet")
        of_task = self._study.subsets[subset].of in self._study.tasks
        return f"{self.data}/subsets/{fold_folder(replicate) if of_task else ''}{subset}.parquet"


def fold_folder(replicate: str) -> str:
    """The folder of a replicate's fold, with its slash; empty without folds.

    >>> fold_folder("seed42-fold3"), fold_folder("seed42")
    ('fold3/', '')
    """
    fold = Replicate.parse(replicate).fold
    return "" if fold is None else f"fold{fold}/"
