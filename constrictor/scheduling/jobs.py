"""The finished jobs of a study, found by the benchmark tables that Snakemake writes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from constrictor.study.plan import Plan
from constrictor.study.study import Study


class Job(NamedTuple):
    """A rule and its wildcards. The benchmark table identifies it, since no two jobs have the same."""

    rule: str
    wildcards: dict[str, str]
    benchmark: Path


_IN_DATA = {
    "download_dataset": r"task_(?P<name>.+)",
    "download_corpus": r"corpus_(?P<name>.+)",
    "download_model": r"model_(?P<name>.+)",
    "make_folds": r"folds_(?P<name>.+)",
    "select_subset": r"(?P<fold>(fold\d+/)?)subset_(?P<name>.+)",
}
_IN_NODE = {"teacher_outputs": r"outputs_(?P<subset>.+)"}


def finished_jobs(plan: Plan) -> Iterator[Job]:
    """The jobs of a study that left a benchmark table, of the models and data that the study still has."""
    yield from _data_jobs(plan.study)
    for task in plan.study.tasks:
        comparison = Path("reports", plan.study.name, task, "logs", "compare.tsv")
        if comparison.is_file():
            yield Job("compare", {"task": task}, comparison)
        for replicate in plan.replicates:
            for lineage in plan.lineages:
                yield from _node_jobs(plan.study, {"task": task, "replicate": replicate, "lineage": lineage})


def _data_jobs(study: Study) -> Iterator[Job]:
    logs = Path("data", study.name, "logs")
    named = {*study.tasks, *study.corpora, *study.models, *study.subsets}
    for rule, wildcards, file in _tables(logs, _IN_DATA, "**/*.tsv"):
        if wildcards.get("name") in named:
            yield Job(rule, wildcards, file)
    # From the names in the study, since either part may itself contain the separator.
    for task, settings in study.tasks.items():
        for part in settings.extra_test_sets:
            table = logs / f"extra_test_set_{task}_{part}.tsv"
            if table.is_file():
                yield Job("download_extra_test_set", {"name": task, "part": part}, table)


def _node_jobs(study: Study, place: dict[str, str]) -> Iterator[Job]:
    logs = Path("results", study.name, *place.values(), "logs")
    for rule, wildcards, file in _tables(logs, _IN_NODE, "*.tsv"):
        if wildcards.get("subset", "train") in {"train", *study.subsets}:
            yield Job(rule, place | wildcards, file)


def _tables(folder: Path, patterns: dict[str, str], files: str) -> Iterator[tuple[str, dict[str, str], Path]]:
    """Rule, wildcards and path of the tables in a folder; a table that matches no pattern is named after its rule."""
    for file in sorted(folder.glob(files)):
        name = file.relative_to(folder).as_posix().removesuffix(".tsv")
        matches = ((rule, re.fullmatch(pattern, name)) for rule, pattern in patterns.items())
        rule, found = next(((rule, match) for rule, match in matches if match), (name, None))
        yield rule, found.groupdict() if found else {}, file
