import os
import time
from pathlib import Path

import pytest

from constrictor.scheduling.estimate import Estimate
from constrictor.scheduling.recorded_estimates import (
    estimate_before_run,
    estimates_file,
    read_estimates,
    write_estimates,
)


def test_an_estimate_is_compared_with_the_run_that_came_after_it(plan, table, node_job):
    job, other = node_job("finetune", "teacher"), node_job("evaluate", "teacher")
    file = estimates_file("small")
    write_estimates(file, {}, [(job, Estimate(100.04, 900.4, "model size"))])
    write_estimates(file, read_estimates(file), [(other, Estimate(5, 100, "model size"))])
    recorded = read_estimates(file)
    assert estimate_before_run(recorded, job) is None  # it has not run
    table(job.benchmark)
    assert estimate_before_run(recorded, job) == 100.0
    os.utime(job.benchmark, (time.time() - 60,) * 2)
    assert estimate_before_run(recorded, job) is None  # it ran before the first estimate


def test_a_record_of_another_version_counts_as_none(plan, table, node_job):
    job = node_job("finetune", "teacher")
    table(job.benchmark)
    assert estimate_before_run({str(job.benchmark): {"seconds": 9.0, "at": 1.0}}, job) is None


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_a_file_that_cannot_be_read_holds_no_estimates(tmp_path: Path, text):
    file = tmp_path / "plan.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert read_estimates(file) == {}
