# Reads the study, and says what jobs need of a machine. Rules and helpers are kept apart, so there are no rules here.
import gc
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from constrictor.artifacts.writing import refuse_unwritable
from constrictor.clock import date_back
from constrictor.errors import ConstrictorError
from constrictor.gpu_lease import visible_gpus
from constrictor.study.code_digest import code_digest
from constrictor.study.lineage import parent_of
from constrictor.study.plan import Plan
from constrictor.study.read import read_study
from constrictor.study.replicate import Replicate
from constrictor.study.resources import Work, measured, needs
from constrictor.study.settings import canonical_json
from constrictor.study.sources import LocalFile, LocalModel
from constrictor.study.steps.prune import Vocabulary
from constrictor.study.steps.recovery import Calibration, Recovery
from constrictor.study.splits import HELD_OUT, SPLITS
from constrictor.study.workload import Workload

# A plan is a large graph and none of it is garbage: looking for some less often saves a fifth of the time that planning
# takes (1,081 jobs: 2.1 instead of 2.6 s).
gc.set_threshold(100_000, 50, 50)

# Jobs call `python`: they get the one that runs this workflow, also where nobody has activated its environment. (A conda
# environment, where one is used, is activated after this and so goes before it.)
SHELL_PREFIX = f"set -euo pipefail; PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(SHELL_PREFIX)

try:
    study = read_study(config, workflow.configfiles)
except ConstrictorError as error:
    raise WorkflowError(str(error)) from None
plan = Plan(study)
if study.trackers:
    shell.prefix(f"{SHELL_PREFIX}export CONSTRICTOR_TRACKERS={','.join(study.trackers)}; ")

DATA = f"data/{study.name}"
RESULTS = f"results/{study.name}"
REPORTS = f"reports/{study.name}"
NODE = f"{RESULTS}/{{task}}/{{replicate}}/{{lineage}}"  # a model's address is its lineage

# A profile says how many GPUs jobs may have at a time (`resources: gpu=8`); where none does, it is those of this machine.
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", len(visible_gpus()))
workload = Workload(plan, Path(DATA), has_gpus=workflow.global_resources["gpu"].value > 0)


def threads_for(work):
    """Input function: the threads of a job. `work` maps wildcards to what it has to do."""
    return lambda wildcards: needs(work(wildcards)).threads


def resources_for(work, benchmark):
    """Memory, time and GPU of a job, as functions that ask for more in a later attempt.

    What an earlier run of the same job was seen to need, in its `benchmark`, goes before the estimate.
    """

    def memory(wildcards, attempt):
        return needs(work(wildcards), attempt, measured(Path(benchmark.format(**wildcards)), "max_rss")).mem_mb

    return {
        "mem_mb": memory,
        "runtime": lambda wildcards, attempt: needs(work(wildcards), attempt).runtime,
        "gpu": lambda wildcards: needs(work(wildcards)).gpu,
    }


def reading(wildcards):
    """The work of a job that handles tables and no model."""
    return Work("read")


def fetching(wildcards):
    """The work of fetching a checkpoint."""
    return workload.fetching(wildcards.name)


def building(wildcards):
    """The work of the step at the end of a lineage."""
    return workload.building(wildcards.lineage, wildcards.task)


def labelling(wildcards):
    """The work of a teacher that labels a subset."""
    return workload.predicting("label", wildcards.lineage, wildcards.task, wildcards.subset)


def evaluating(wildcards):
    """The work of an evaluation."""
    return workload.predicting("evaluate", wildcards.lineage, wildcards.task)


def timing(wildcards):
    """The work of timing a model in turn with the baselines."""
    return workload.timing(wildcards.lineage, wildcards.task)


def comparing(wildcards):
    """The work of the comparison."""
    return Work("compare")


def code_of(rule_name, *further):
    """Digest of the code behind a rule; changed by a changed line, not by a comment."""
    return code_digest(f"workflow_scripts.{rule_name}", *further)


def lineages_of(stage):
    """Wildcard constraint: all lineages that end with a step of a stage."""
    names = plan.steps(stage)
    return r"(?:[^/]+/)*(?:" + "|".join(map(re.escape, names)) + ")" if names else "(?!)"


def step_settings(wildcards):
    """All that the step at the end of a lineage reads of the study, as canonical JSON."""
    return plan.step(wildcards.lineage).canonical()
