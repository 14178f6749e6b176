from pathlib import Path

import pytest

from constrictor.scheduling.estimate import Estimate, Estimator, expected_seconds, measured_cost
from constrictor.scheduling.jobs import finished_jobs
from constrictor.scheduling.work import Work
from constrictor.scheduling.workload import Workload


@pytest.fixture
def estimator(plan):
    """Reads what lies there, as the command does."""
    return lambda: Estimator(Workload(plan, Path("data/small"), has_gpus=False), list(finished_jobs(plan)), cores=2)


def test_a_job_that_ran_before_takes_what_it_took(estimator, table, node_job):
    job = node_job("finetune", "teacher")
    table(job.benchmark, 123.5, 2159.1)
    assert estimator()(job) == Estimate(123.5, 2159.1, "last run")


def test_without_any_run_the_estimate_rests_on_the_size_of_the_model(estimator, node_job):
    found = estimator()(node_job("finetune", "teacher"))
    # 110 million parameters, 2 epochs of 100,000 rows of 128 tokens: what is assumed before anything is fetched.
    assert found.seconds == pytest.approx(10 + 6 * 110e6 * 2 * 100_000 * 128 / 2e12)
    assert found.basis == "model size"


def test_jobs_of_the_same_rule_correct_the_estimate_by_their_median(estimator, table, node_job):
    first, second, unrun = (
        node_job("evaluate", lineage, seed)
        for lineage, seed in (("teacher", "seed1"), ("teacher/kd", "seed1"), ("teacher", "seed2"))
    )
    by_size = estimator()(unrun)
    table(first.benchmark, by_size.seconds / 4, by_size.memory_mb / 2)
    found = estimator()(unrun)
    assert found == Estimate(pytest.approx(by_size.seconds / 4), pytest.approx(by_size.memory_mb / 2), "similar jobs")
    table(second.benchmark, by_size.seconds / 2, by_size.memory_mb / 2)
    assert estimator()(unrun).seconds == pytest.approx(by_size.seconds * 3 / 8)
    # The speed of another rule is no evidence for this one.
    assert estimator()(node_job("finetune", "teacher")).basis == "model size"


def test_the_correction_goes_with_the_work(estimator, table, node_job):
    label = {subset: node_job("teacher_outputs", "teacher", "seed2", subset=subset) for subset in ("train", "some")}
    by_sizes = {subset: estimator()(job).seconds for subset, job in label.items()}
    table("results/small/reviews/seed1/teacher/logs/outputs_train.tsv", by_sizes["train"] / 10, 900)
    assert by_sizes["train"] > 20 * by_sizes["some"]
    assert estimator()(label["some"]).seconds == pytest.approx(by_sizes["some"] / 10)


def test_a_table_without_numbers_is_none(table, node_job):
    job = node_job("evaluate", "teacher")
    assert measured_cost(job) is None
    table(job.benchmark, 0.1, "NA")
    assert measured_cost(job) is None


def test_more_cores_help_those_that_use_them():
    training, reading = Work("train", 10**8, rows=10**5), Work("evaluate", 10**8, rows=10**5)
    assert expected_seconds(training, 8) < expected_seconds(training, 2) / 3
    assert expected_seconds(training, 64) == expected_seconds(training, 8)
    assert expected_seconds(reading, 8) == expected_seconds(reading, 1)
    assert expected_seconds(training._replace(gpu=True), 8) < expected_seconds(training, 8) / 5


@pytest.mark.parametrize(
    ("work", "seconds"),
    [
        (Work("train", 22_713_728, 6, rows=20_472), 174),
        (Work("label", 22_713_728, 6, rows=40_000), 60),
        (Work("evaluate", 22_713_728, 6, rows=1706), 19),
        (Work("convert", 22_713_728, 6), 19),
        (Work("time", 22_713_728, 6, rows=1188), 66),
        (Work("fetch", 22_713_728, 6), 0.3),
        (Work("read"), 1.3),
    ],
)
def test_the_first_estimate_is_of_the_right_size_for_what_the_default_study_took(work, seconds):
    assert seconds / 3 < expected_seconds(work, cores=2) < max(5, 3 * seconds)
