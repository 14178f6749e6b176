# Reads the study and makes what all rules use: paths, inputs, training plans, resources and code digests. The functions are
# in constrictor/scheduling, typed and tested; here are no rules.
import gc
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from constrictor.errors import ConstrictorError, exit_on_user_error
from constrictor.files.clocks import clamp_future_mtimes
from constrictor.scheduling.gpu_lease import visible_gpus
from constrictor.scheduling.inputs import Inputs
from constrictor.scheduling.job_code import JobCode
from constrictor.scheduling.job_resources import JobResources
from constrictor.scheduling.job_settings import JobSettings
from constrictor.scheduling.long_arguments import argument
from constrictor.scheduling.paths import Layout
from constrictor.scheduling.repeated_lines import FirstOnly
from constrictor.scheduling.source_content import SourceContent
from constrictor.scheduling.trainings import Trainings
from constrictor.scheduling.wildcards import lineages_ending_in, one_of
from constrictor.scheduling.workload import Workload
from constrictor.study.plan import Plan
from constrictor.study.read import read_study
from constrictor.study.settings import canonical_json

# A plan is a large graph without garbage: collecting less often saves a fifth of the time that planning takes (1,081 jobs:
# 2.1 instead of 2.6 s).
gc.set_threshold(100_000, 50, 50)

with exit_on_user_error():
    study = read_study(config, workflow.configfiles)
    layout = Layout(study)
    layout.refuse_files()
plan = Plan(study)
DATA, RESULTS, REPORTS, NODE = layout.data, layout.results, layout.reports, layout.node

logger.addFilter(FirstOnly("Will exit after finishing currently running jobs"))

# Jobs call `python`: they get the one that runs this workflow, even where its environment is not activated. (A conda
# environment, where one is used, is activated after this and so comes first.)
TRACKERS = f"export CONSTRICTOR_TRACKERS={','.join(study.trackers)}; " if study.trackers else ""
shell.prefix(f"set -euo pipefail; PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; {TRACKERS}")

# A profile sets how many GPUs jobs may have at a time (`resources: gpu=8`); by default it is the number in this machine.
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", len(visible_gpus()))

inputs, trainings = Inputs(plan, layout), Trainings(plan, layout)
settings, code, content = JobSettings(plan), JobCode(study), SourceContent(study)
jobs = JobResources(Workload(plan, Path(DATA), has_gpus=workflow.global_resources["gpu"].value > 0))


def before_first_job():
    """Check the folders, and print warnings before hours of computing."""
    try:
        layout.refuse_unwritable()
    except ConstrictorError as error:
        raise WorkflowError(str(error)) from None
    for file in clamp_future_mtimes(inputs.all_sources()):
        print(f"Note: {file} had a modification time in the future; it is set to the current time.", file=sys.stderr)
    for lineage, reason in plan.slow_here.items():
        print(f"Note: {lineage} is slow on this machine: {reason}", file=sys.stderr)
