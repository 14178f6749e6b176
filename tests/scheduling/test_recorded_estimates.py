import os
import time
from pathlib import Path

import pytest

from constrictor.scheduling.estimate import Estimate
from constrictor.scheduling.recorded_estimates import kept_promise, promises_file, read_promises, write_promises


def test_a_promise_is_held_against_the_run_that_came_after_it(plan, table, node_job):
    job, other = node_job("finetune", "teacher"), node_job("evaluate", "teacher")
    file = promises_file("small")
    write_promises(file, {}, [(job, Estimate(100.04, 900.4, "size"))])
    write_promises(file, read_promises(file), [(other, Estimate(5, 100, "size"))])
    promises = read_promises(file)
    assert kept_promise(promises, job) is None  # it has not run
    table(job.benchmark)
    assert kept_promise(promises, job) == 100.0
    os.utime(job.benchmark, (time.time() - 60,) * 2)
    assert kept_promise(promises, job) is None  # it ran before anything was promised


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_a_file_that_cannot_be_used_holds_no_promises(tmp_path: Path, text):
    file = tmp_path / "plan.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert read_promises(file) == {}
