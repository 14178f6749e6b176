"""A small study and a larger one, with benchmark tables of some of their jobs, in a folder of their own."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from constrictor.scheduling.jobs import Job
from constrictor.study.plan import Plan
from constrictor.study.read import read_study

STUDY = {
    "name": "small",
    "tasks": {
        "reviews": {"source": {"path": "reviews.csv"}, "extra_test_sets": {"more_of_it": {"path": "reviews.csv"}}}
    },
    "models": {"tiny": {"path": "tiny"}},
    "corpora": {"corn": {"source": {"path": "reviews.csv"}}},
    "subsets": {"some": {"of": "corn", "size": 100}},
    "steps": {
        "teacher": {"stage": "finetune", "model": "tiny", "epochs": 2},
        "kd": {"stage": "distil", "student": {"layers": [0]}, "train_on": ["train", "some"], "epochs": 1},
        "int8": {"stage": "quantize", "method": "dynamic"},
    },
    "recipes": {"baseline": "teacher", "small": "teacher/kd/int8"},
    "report": {"baseline": "baseline"},
    "replicates": {"seeds": [1, 2]},
}

LARGER: dict[str, Any] = {
    **STUDY,
    "subsets": {**STUDY["subsets"], "few": {"of": "reviews", "size": 10}},
    "steps": {
        "teacher": {"stage": "finetune", "model": "tiny"},
        "kd": {"stage": "distil", "student": {"layers": [0, 2]}},
        "kd_wide": {"stage": "distil", "student": {"model": "tiny"}, "train_on": {"train": 2, "some": 1}},
        "mag": {"stage": "prune", "method": "magnitude", "sparsity": 0.4},
        "wanda": {"stage": "prune", "method": "wanda", "sparsity": 0.5},
        "words": {"stage": "prune", "method": "vocabulary", "text": ["train", "some"]},
        "fp16": {"stage": "quantize", "method": "fp16"},
        "nf4": {"stage": "quantize", "method": "nf4"},
        "int8": {"stage": "quantize", "method": "dynamic"},
        "static": {"stage": "quantize", "method": "static"},
        "qat": {"stage": "quantize", "method": "qat", "finetune_epochs": 2},
        "onnx": {"stage": "export"},
    },
    "recipes": {
        "baseline": "teacher",
        "cpu": "teacher/kd/mag/onnx/int8",
        "wide": "teacher/kd_wide/fp16",
        "four": "teacher/nf4",
        "eight": "teacher/int8",
        "fixed": "teacher/static",
        "aware": "teacher/qat",
        "wanda": "teacher/wanda",
        "words": "teacher/words",
    },
}


@pytest.fixture(autouse=True)
def _sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reviews.csv").touch()
    Path("tiny").mkdir()


@pytest.fixture
def plan() -> Plan:
    return Plan(read_study(STUDY))


@pytest.fixture
def larger() -> Callable[..., Plan]:
    """Plans the larger study with changes: dotted key path -> value."""

    def change(changes: dict[str, Any] | None = None) -> Plan:
        study = copy.deepcopy(LARGER)
        for path, value in (changes or {}).items():
            *parents, key = path.split(".")
            here = study
            for parent in parents:
                here = here.setdefault(parent, {})
            here[key] = value
        return Plan(read_study(study))

    return change


@pytest.fixture
def table(plan: Plan) -> Callable[..., Path]:
    """Writes a benchmark table as Snakemake does."""

    def write(file: str, seconds: float | str = 60.0, peak: float | str = 1000.0) -> Path:
        path = Path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\tmax_vms\n{seconds}\t0:01:00\t{peak}\t2000\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def node_job() -> Callable[..., Job]:
    """Makes a job on a node of the study."""

    def make(rule: str, lineage: str, replicate: str = "seed1", **further: str) -> Job:
        named = {"task": "reviews", "replicate": replicate, "lineage": lineage, **further}
        return Job(rule, named, Path("results/small/reviews", replicate, lineage, "logs", f"{rule}.tsv"))

    return make
