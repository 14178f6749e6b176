# Reads the study and holds what the rules ask of it. Rules and helpers are kept apart, so there are no rules here.
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


def seed_of(wildcards):
    """The seed of a replicate."""
    return Replicate.parse(wildcards.replicate).seed


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


def fold_of(wildcards):
    """The folder of a replicate's fold, with its slash; nothing where there are no folds."""
    fold = Replicate.parse(wildcards.replicate).fold
    return "" if fold is None else f"fold{fold}/"


def task_file(name):
    """Input function: a file of the prepared task, as a replicate sees it."""
    return lambda wildcards: f"{DATA}/tasks/{wildcards.task}/{fold_of(wildcards)}{name}"


task_manifest = task_file("manifest.json")


def examples_file(wildcards, subset):
    """The examples that a name means to a replicate: its task's training split, or a subset."""
    if subset == "train":
        return task_file("train.parquet")(wildcards)
    of_task = subset in study.subsets and study.subsets[subset].of in study.tasks
    return f"{DATA}/subsets/{fold_of(wildcards) if of_task else ''}{subset}.parquet"


def task_settings(name, *extra_tests):
    """All that a task's preparation reads of the study, with some of its extra tests: adding one trains nothing again."""
    task = study.tasks[name]
    return task.model_copy(update={"extra_tests": {part: task.extra_tests[part] for part in extra_tests}}).canonical()


def extra_tests(wildcards):
    """The further test sets that a task's models answer."""
    return extra_tests_of(wildcards.task)


def extra_tests_of(task):
    """The further test sets of a task."""
    return [f"{DATA}/tasks/{task}/extra_tests/{part}.parquet" for part in study.tasks[task].extra_tests]


def pool_of(wildcards):
    """The examples that a subset is chosen from."""
    origin = study.subsets[wildcards.name].of
    if origin in study.corpora:
        return f"{DATA}/corpora/{origin}/texts.parquet"
    return f"{DATA}/tasks/{origin}/{wildcards.fold}train.parquet"


def held_out_of(wildcards):
    """The examples that a selection from a corpus keeps away from: validation and test, and all that some fold holds out."""
    if study.subsets[wildcards.name].of not in study.corpora:
        return []
    splits = SPLITS if study.replicates.folds else HELD_OUT
    held_out = [f"{DATA}/tasks/{task}/{split}.parquet" for task in study.tasks for split in splits]
    return held_out + [file for task in study.tasks for file in extra_tests_of(task)]


def lesson_examples(wildcards):
    """The texts that a distillation reads."""
    return [examples_file(wildcards, subset) for subset in plan.step(wildcards.lineage).on]


def lesson_outputs(wildcards):
    """What each teacher says about each of these texts, teacher by teacher."""
    return [
        node_file(wildcards, teacher, f"outputs/{subset}.parquet")
        for teacher in plan.teachers(wildcards.lineage)
        for subset in plan.step(wildcards.lineage).on
    ]


def calibration_examples(wildcards):
    """The examples that a step looks at before it decides; none for most."""
    step = plan.step(wildcards.lineage)
    named = step.text if isinstance(step, Vocabulary) else [step.calibration] if isinstance(step, Calibration) else []
    return [examples_file(wildcards, subset) for subset in named]


def recovery_lessons(wildcards):
    """The texts that a recovery reads, what its teacher says about them, and the teacher where it computes along."""
    step = plan.step(wildcards.lineage)
    if not getattr(step, "finetune_epochs", 0):
        return {"examples": [], "outputs": [], "teacher": []}
    teaching = plan.teaching(wildcards.lineage)
    return {
        "examples": [examples_file(wildcards, subset) for subset in step.on],
        "outputs": (
            [node_file(wildcards, teaching.teacher, f"outputs/{subset}.parquet") for subset in step.on]
            if teaching
            else []
        ),
        "teacher": (
            [node_file(wildcards, teaching.teacher, "model/manifest.json")]
            if teaching and teaching.mixture.live
            else []
        ),
    }


def recovery_needs(wildcards):
    """The prepared task, for the steps that train or calibrate; nothing for those that only rewrite a file."""
    step = plan.step(wildcards.lineage)
    if not isinstance(step, (Calibration, Recovery)):
        return []
    return [task_file(f"{split}.parquet")(wildcards) for split in ("train", "validation")]


def soft_targets(wildcards):
    """How a recovery mixes teacher and labels, as an argument; nothing where labels teach alone."""
    teaching = plan.teaching(wildcards.lineage)
    return f"--soft-targets {teaching.mixture.canonical()!r}" if teaching else ""


def baseline_models(wildcards):
    """Manifests of the models that every other takes turns with."""
    return [node_file(wildcards, lineage, "model/manifest.json") for lineage in plan.speed_baselines.values()]


def fair_baseline(wildcards):
    """What was found to be the fastest way to compute the float32 baseline."""
    return node_file(wildcards, study.recipes[study.report.baseline], "fair_baseline.json")


def named_baselines(wildcards, input):
    """The baselines as arguments: what the report calls them, and where they are."""
    return [f"{name}={manifest}" for name, manifest in zip(plan.speed_baselines, input.baselines)]


def wanted_files(lineages, names, tasks=tuple(study.tasks)):
    """These files of these lineages, in all replicates of some tasks."""
    return [
        f"{RESULTS}/{task}/{replicate}/{lineage}/{name}"
        for task in tasks
        for name in names
        for replicate in ([plan.timed_replicate] if name == "latency.json" else plan.replicates)
        for lineage in lineages
    ]


def measurements_of(lineages, names):
    """Input function: these files of these lineages, in all replicates of a task."""
    return lambda wildcards: wanted_files(lineages, names, [wildcards.task])


def local_extra_test(wildcards):
    """The file on this machine that an extra test is read from, if it is read from one."""
    source = study.tasks[wildcards.name].extra_tests[wildcards.part]
    return [source.path] if isinstance(source, LocalFile) else []


def local_file(wildcards):
    """The file on this machine that a task or corpus is read from, if it is read from one."""
    return files_of((study.tasks.get(wildcards.name) or study.corpora[wildcards.name]).source)


def files_of(source):
    """The files on this machine that a source of data names."""
    parts = [source, *(getattr(source, split, None) for split in SPLITS)]
    return [part.path for part in parts if isinstance(part, LocalFile)]


def local_weights(wildcards):
    """The files on this machine that a checkpoint is copied from, if it is a folder here."""
    return weights_of(study.models[wildcards.name])


def weights_of(source):
    """The files on this machine that a source of models names."""
    if not isinstance(source, LocalModel):
        return []
    return sorted(str(file) for pattern in ("config.json", "*.safetensors") for file in Path(source.path).glob(pattern))


def check_folders():
    """Before the first job: the workflow's folders can be written."""
    try:
        for folder in (DATA, RESULTS, REPORTS):
            refuse_unwritable(Path(folder))
    except ConstrictorError as error:
        raise WorkflowError(str(error)) from None


def places_read():
    """Where all lies that a job may read: this workflow's folders, and the user's own files."""
    data = [file for part in (*study.tasks.values(), *study.corpora.values()) for file in files_of(part.source)]
    weights = [file for source in study.models.values() for file in weights_of(source)]
    return [Path(place) for place in (DATA, RESULTS, *data, *weights)]
