# Which files a job reads, by its wildcards.
from constrictor.study.lineage import parent_of
from constrictor.study.replicate import Replicate
from constrictor.study.splits import HELD_OUT, SPLITS


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


def task_settings(name, *extra_test_sets):
    """All that a task's preparation reads of the study, with some of its extra tests: adding one trains nothing again."""
    task = study.tasks[name]
    return task.model_copy(update={"extra_test_sets": {part: task.extra_test_sets[part] for part in extra_test_sets}}).canonical()


def extra_test_sets(wildcards):
    """The further test sets that a task's models answer."""
    return extra_test_sets_of(wildcards.task)


def extra_test_sets_of(task):
    """The further test sets of a task."""
    return [f"{DATA}/tasks/{task}/extra_test_sets/{part}.parquet" for part in study.tasks[task].extra_test_sets]


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
    return held_out + [file for task in study.tasks for file in extra_test_sets_of(task)]


def lesson_examples(wildcards):
    """The texts that a distillation reads."""
    return [examples_file(wildcards, subset) for subset in plan.step(wildcards.lineage).train_on]


def lesson_outputs(wildcards):
    """What each teacher says about each of these texts, teacher by teacher."""
    return [
        node_file(wildcards, teacher, f"outputs/{subset}.parquet")
        for teacher in plan.teachers(wildcards.lineage)
        for subset in plan.step(wildcards.lineage).train_on
    ]


def calibration_examples(wildcards):
    """The examples that a step calibrates on; none for most."""
    return [examples_file(wildcards, subset) for subset in plan.step(wildcards.lineage).reads]


def recovery_lessons(wildcards):
    """The texts that a recovery reads, what its teacher says about them, and the teacher where it computes along."""
    step = plan.step(wildcards.lineage)
    if not step.trains:
        return {"examples": [], "outputs": [], "teacher": []}
    assignment = plan.teacher_assignment(wildcards.lineage)
    return {
        "examples": [examples_file(wildcards, subset) for subset in step.train_on],
        "outputs": (
            [node_file(wildcards, assignment.teacher, f"outputs/{subset}.parquet") for subset in step.train_on]
            if assignment
            else []
        ),
        "teacher": (
            [node_file(wildcards, assignment.teacher, "model/manifest.json")]
            if assignment and assignment.distillation.needs_online_teacher
            else []
        ),
    }


def recovery_needs(wildcards):
    """The prepared task, for the steps that train or calibrate; nothing for those that only rewrite a file."""
    step = plan.step(wildcards.lineage)
    if not (step.reads or step.trains):
        return []
    return [task_file(f"{split}.parquet")(wildcards) for split in ("train", "validation")]


def soft_targets(wildcards):
    """How a recovery mixes teacher and labels, as an argument; nothing where labels teach alone."""
    assignment = plan.teacher_assignment(wildcards.lineage)
    return f"--soft-targets {assignment.distillation.canonical()!r}" if assignment else ""


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
