"""The functions of wildcards that rules take: resources, settings and code digests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from constrictor.scheduling import job_code
from constrictor.scheduling.code_digest import code_digest, kind_modules
from constrictor.scheduling.job_code import JobCode
from constrictor.scheduling.job_resources import JobResources
from constrictor.scheduling.job_settings import JobSettings
from constrictor.scheduling.resources import resources_of
from constrictor.scheduling.wildcards import wildcards_of
from constrictor.scheduling.workload import Workload

TEACHER = wildcards_of({"task": "reviews", "replicate": "seed1", "lineage": "teacher"})
TABLE = "results/small/{task}/{replicate}/{lineage}/logs/finetune.tsv"


def test_a_job_requests_what_its_work_needs(plan):
    workload = Workload(plan, Path("data/small"), has_gpus=True)
    jobs, expected = JobResources(workload), resources_of(workload.building("teacher", "reviews"))
    found = {name: function for name, function in jobs.of("finetune", TABLE).items()}
    assert jobs.threads("finetune")(TEACHER) == expected.threads
    assert found["mem_mb"](TEACHER, attempt=1) == expected.mem_mb
    assert found["mem_mb"](TEACHER, attempt=2) == pytest.approx(1.5 * expected.mem_mb, abs=2)
    assert found["runtime"](TEACHER, attempt=1) == expected.runtime
    assert found["gpu"](TEACHER) == 1


def test_a_measured_peak_replaces_the_estimate_of_the_memory(plan, table):
    jobs = JobResources(Workload(plan, Path("data/small"), has_gpus=False))
    table(TABLE.format(**vars(TEACHER)), 60, 5000)
    assert jobs.of("finetune", TABLE)["mem_mb"](TEACHER, attempt=1) == 5000 * 1.3 + 300


def test_a_task_is_prepared_without_its_further_test_sets_and_each_of_them_alone(plan):
    settings = JobSettings(plan)
    alone = json.loads(settings.task(wildcards_of({"name": "reviews"})))
    one = json.loads(settings.extra_test_set(wildcards_of({"name": "reviews", "part": "more_of_it"})))
    assert alone["extra_test_sets"] == {}
    assert one == {**alone, "extra_test_sets": {"more_of_it": {"header": True, "path": "reviews.csv"}}}


def test_every_job_reads_its_own_settings(larger):
    settings, plan = JobSettings(larger({"replicates": {"seeds": [1], "folds": 3}})), larger()
    assert settings.step(TEACHER) == plan.study.steps["teacher"].canonical()
    assert settings.seed(TEACHER) == 1
    assert settings.corpus(wildcards_of({"name": "corn"})) == plan.study.corpora["corn"].canonical()
    assert settings.checkpoint(wildcards_of({"name": "tiny"})) == '{"convert_pickle":false,"path":"tiny"}'
    assert settings.subset(wildcards_of({"name": "some", "fold": ""})) == plan.study.subsets["some"].canonical()
    assert json.loads(settings.folding(wildcards_of({"name": "reviews"})))["folds"] == 3


def test_the_digest_of_a_job_covers_the_kind_of_its_task(larger, monkeypatch):
    digested = []
    monkeypatch.setattr(job_code, "code_digest", lambda *modules: digested.append(modules) or "0")
    code = JobCode(larger({"tasks.reviews.kind": "regression"}).study)
    kind = "constrictor.tasks.regression"
    code.of_task("prune", trains=True)(TEACHER)
    code.of_task("latency", "constrictor.evaluation.latency_worker")(TEACHER)
    code.of_named_task("download_dataset", "examples")(wildcards_of({"name": "reviews"}))
    code.of_subset("select_subset")(wildcards_of({"name": "few"}))
    code.of_subset("select_subset")(wildcards_of({"name": "some"}))
    code.of("download_model")
    scripts, modules = zip(*((first, set(rest)) for first, *rest in digested), strict=True)
    assert scripts == tuple(
        f"workflow_scripts.{name}"
        for name in ("prune", "latency", "download_dataset", "select_subset", "select_subset", "download_model")
    )
    assert modules[0] == {kind, f"{kind}.model"}
    assert modules[1] == {kind, "constrictor.evaluation.latency_worker"}
    assert modules[2] == {kind, f"{kind}.examples"}
    assert modules[3] == {kind}
    assert modules[4] == modules[5] == set()  # a corpus has no kind


def test_a_kind_has_the_modules_that_exist():
    assert kind_modules("classification", "no_such_module") == ("constrictor.tasks.classification",)
    assert kind_modules("no_such_kind", "model") == ()


def test_kinds_have_digests_of_their_own():
    digests = {
        kind: code_digest("workflow_scripts.explain", *kind_modules(kind)) for kind in ("classification", "regression")
    }
    assert len(set(digests.values())) == 2


def test_planning_imports_nothing_heavy():
    heavy = "torch transformers datasets pandas numpy pyarrow tokenizers onnxruntime snakemake".split()
    modules = "inputs job_code job_resources job_settings paths trainings wildcards workload".split()
    program = "".join(f"import constrictor.scheduling.{name}\n" for name in modules)
    program += f"import sys\nassert not {set(heavy)!r} & set(sys.modules), {set(heavy)!r} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
