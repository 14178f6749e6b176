# Reads the study, and holds what all rules ask of it. Rules and helpers are kept apart, so there are no rules here.
import gc
import re
import shlex
import sys
from pathlib import Path

from constrictor.files.writing import refuse_file_for
from constrictor.errors import exit_on_user_error
from constrictor.scheduling.code_digest import code_digest, kind_modules
from constrictor.study.plan import Plan
from constrictor.study.read import read_study
from constrictor.study.settings import canonical_json

# A plan is a large graph and none of it is garbage: looking for some less often saves a fifth of the time that planning
# takes (1,081 jobs: 2.1 instead of 2.6 s).
gc.set_threshold(100_000, 50, 50)

# Jobs call `python`: they get the one that runs this workflow, also where nobody has activated its environment. (A conda
# environment, where one is used, is activated after this and so goes before it.)
SHELL_PREFIX = f"set -euo pipefail; PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(SHELL_PREFIX)

with exit_on_user_error():
    study = read_study(config, workflow.configfiles)
plan = Plan(study)
if study.trackers:
    shell.prefix(f"{SHELL_PREFIX}export CONSTRICTOR_TRACKERS={','.join(study.trackers)}; ")

DATA = f"data/{study.name}"
RESULTS = f"results/{study.name}"
REPORTS = f"reports/{study.name}"
with exit_on_user_error():  # planning lists these folders
    for folder in (DATA, RESULTS, REPORTS):
        refuse_file_for(Path(folder))
NODE = f"{RESULTS}/{{task}}/{{replicate}}/{{lineage}}"  # a model's address is its lineage


def code_of(rule_name, *further, parts=()):
    """Input function: digest of the code behind a rule, with that of the task's kind; changed by a changed line only."""

    def digest(wildcards):
        task = study.tasks.get(getattr(wildcards, "task", None) or getattr(wildcards, "name", None))
        return code_digest(f"workflow_scripts.{rule_name}", *further, *(kind_modules(task, *parts) if task else ()))

    return digest


def one_of(names):
    """Wildcard constraint: one of these names, so that no rule makes a file of another."""
    return "|".join(map(re.escape, names))


def lineages_of(stage):
    """Wildcard constraint: all lineages that end with a step of a stage."""
    names = plan.steps(stage)
    return rf"(?:[^/]+/)*(?:{one_of(names)})" if names else "(?!)"


def step_settings(wildcards):
    """All that the step at the end of a lineage reads of the study, as canonical JSON."""
    return plan.step(wildcards.lineage).canonical()
