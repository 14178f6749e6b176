# Reads the study and holds what the rules ask of it. Rules and helpers are kept apart, so there are no rules here.
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from constrictor.errors import ConstrictorError
from constrictor.study.code_digest import code_digest
from constrictor.study.lineage import parent_of
from constrictor.study.plan import Plan
from constrictor.study.read import read_study
from constrictor.study.settings import canonical_json

# Jobs call `python`: they get the one that runs this workflow, also where nobody has activated its environment.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

try:
    study = read_study(config, workflow.configfiles)
except ConstrictorError as error:
    raise WorkflowError(str(error)) from None
plan = Plan(study)

DATA = f"data/{study.name}"
RESULTS = f"results/{study.name}"
REPORTS = f"reports/{study.name}"
NODE = f"{RESULTS}/{{task}}/{{replicate}}/{{lineage}}"  # a model's address is its lineage


def code_of(rule_name):
    """Digest of the code that a rule runs: a changed line of it reruns the rule, a comment does not."""
    return code_digest(f"workflow_scripts.{rule_name}")


def lineages_of(stage):
    """Wildcard constraint: all lineages that end with a step of a stage."""
    names = plan.steps(stage)
    return r"(?:[^/]+/)*(?:" + "|".join(map(re.escape, names)) + ")" if names else "(?!)"


def step_settings(wildcards):
    """The settings of a lineage's last step as canonical JSON: all that its rule reads of the study."""
    return plan.step(wildcards.lineage).canonical()


def seed_of(wildcards):
    """The seed of a replicate."""
    return int(wildcards.replicate.removeprefix("seed"))


def node_file(wildcards, lineage, name):
    """A file of another lineage in the same task and replicate."""
    return f"{RESULTS}/{wildcards.task}/{wildcards.replicate}/{lineage}/{name}"


def parent_model(wildcards):
    """Manifest of the model that a step works on."""
    return node_file(wildcards, parent_of(wildcards.lineage), "model/manifest.json")


def start_model(wildcards):
    """Manifest of the model whose weights a training starts from: a fetched checkpoint or the parent."""
    name = plan.start_model(wildcards.lineage)
    return f"{DATA}/models/{name}/manifest.json" if name else parent_model(wildcards)


def task_manifest(wildcards):
    """Manifest of the prepared task."""
    return f"{DATA}/tasks/{wildcards.task}/manifest.json"


def examples_file(task, subset):
    """The examples that a name means: a task's training split, or a subset."""
    return f"{DATA}/tasks/{task}/train.parquet" if subset == "train" else f"{DATA}/subsets/{subset}.parquet"
