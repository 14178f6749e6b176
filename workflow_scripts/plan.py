"""Command `make plan`: what a run would do, why, and at what cost; after a run, the estimates beside what the jobs took."""

import sys
from pathlib import Path

from constrictor.errors import exit_on_user_error
from constrictor.scheduling.critical_path import Link, critical_path
from constrictor.scheduling.estimate import Estimator, measured_cost
from constrictor.scheduling.jobs import finished_jobs
from constrictor.scheduling.paths import Layout
from constrictor.scheduling.recorded_estimates import (
    estimate_before_run,
    estimates_file,
    read_estimates,
    write_estimates,
)
from constrictor.scheduling.summary import plan_text
from constrictor.scheduling.workload import Workload
from constrictor.study.plan import Plan
from constrictor.study.read import load_study
from workflow_scripts._dry_run import dry_run


def main(arguments: list[str]) -> None:
    """Print the plan of a call of Snakemake with these arguments, and record its estimates for after the run."""
    planned = dry_run(arguments)
    files, changes = planned.configuration
    plan = Plan(load_study(*files, changes=changes))
    study = plan.study.name
    finished = list(finished_jobs(plan))
    workload = Workload(plan, Path(Layout(plan.study).data), planned.has_gpus)
    estimate = Estimator(workload, finished, planned.cores)
    to_run = [(announced.job, announced.reason, estimate(announced.job)) for announced in planned.jobs]
    file = estimates_file(study)
    recorded = read_estimates(file)
    running = {job.benchmark for job, _, _ in to_run}
    reused = [(job, cost) for job in finished if job.benchmark not in running and (cost := measured_cost(job))]
    done = [(job, estimate_before_run(recorded, job), cost) for job, cost in reused]
    links = [
        Link(found.seconds, announced.reads, announced.writes)
        for announced, (_, _, found) in zip(planned.jobs, to_run, strict=True)
    ]
    print(plan_text(study, to_run, done, critical_path(links)))
    if to_run:
        write_estimates(file, recorded, [(job, found) for job, _, found in to_run])


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
