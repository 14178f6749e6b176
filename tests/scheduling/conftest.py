"""A small study, with benchmark tables of some of its jobs, in a folder of its own."""

from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    Path("reviews.csv").touch()
    Path("tiny").mkdir()
    return Plan(read_study(STUDY))


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
