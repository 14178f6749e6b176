"""The content of what a job fetches on this machine, as a parameter of its rule.

The content decides whether the job runs again. Snakemake by itself takes a file that is replaced by an older one for unchanged,
and does not know the files of packages.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from constrictor.files.digests import KnownDigests
from constrictor.scheduling.source_files import local_files, package_files
from constrictor.scheduling.wildcards import Wildcards
from constrictor.study.study import Study

RECORD = Path(".snakemake/constrictor/digests.json")
CONTENT = "content of "
"""How the parameter begins."""


class SourceContent:
    """The content of a study's sources, as the functions of wildcards that Snakemake calls.

    Args:
        study: the study.
        record: the file in which hashes are kept from one call to the next.
    """

    def __init__(self, study: Study, record: Path = RECORD) -> None:
        self._study = study
        self._digests = KnownDigests(record)

    def data(self, wildcards: Wildcards) -> str:
        """What the task or corpus `name` is read from."""
        return self._of((self._study.tasks.get(wildcards.name) or self._study.corpora[wildcards.name]).source)

    def extra_test_set(self, wildcards: Wildcards) -> str:
        """What the extra test set `part` of the task `name` is read from."""
        return self._of(self._study.tasks[wildcards.name].extra_test_sets[wildcards.part])

    def checkpoint(self, wildcards: Wildcards) -> str:
        """What the model `name` is copied from."""
        return self._of(self._study.models[wildcards.name])

    def _of(self, source: object) -> str:
        """Versions of packages, and files with their hashes. Nothing for a hub, whose revision is among the settings."""
        found = [f"{file}: {self._digest(Path(file))}" for file in local_files(source)]
        for package, files in package_files(source).items():
            found += [f"{package} {version(package)}", *(f"{file.name}: {self._digest(file)}" for file in files)]
        return CONTENT + ", ".join(found)

    def _digest(self, file: Path) -> str:
        try:
            return self._digests.of(file)
        except OSError:
            return "unreadable"  # the job reports why
