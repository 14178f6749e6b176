"""Checks across the parts of a study: names that must exist, sources that must be there, chains that can be built."""

from __future__ import annotations

import re
from collections.abc import Iterable

from constrictor.errors import nearest
from constrictor.study.chain import chain_problem
from constrictor.study.layers import layer_problem
from constrictor.study.lineage import RESERVED, steps_of
from constrictor.study.local_sources import local_layer_count, missing_source
from constrictor.study.sources import SplitSources
from constrictor.study.steps.recovery import Calibration
from constrictor.study.steps.step import Step
from constrictor.study.study import Study
from constrictor.study.teachers import co_teacher_problems

Problem = tuple[tuple[str | int, ...], str]

# Names of the workflow's own targets.
RULES = frozenset(
    "all download_dataset download_corpus download_extra_test_set make_folds download_model select_subset teacher_outputs "
    "take_checkpoint finetune distil prune quantize quantize_aware export evaluate latency fair_baseline compare".split()
)


def problems(study: Study) -> list[Problem]:
    """Everything that keeps a study from being built: key path and message, in the order of the file."""
    checks = (_names, _sources, _tasks, _subsets, _steps, _recipes, _steps_of_tasks, _report)
    return [problem for check in checks for problem in check(study)]


def _names(study: Study) -> Iterable[Problem]:
    for name in study.steps:
        if name in RESERVED:
            yield ("steps", name), f"the name is reserved: the folder of each model holds a '{name}'. Choose another."
    first_with: dict[str, str] = {}
    for name, lineage in study.recipes.items():
        twin = first_with.setdefault(lineage, name)
        if twin != name:
            yield ("recipes", name), f"'{lineage}' is the recipe '{twin}' already. Keep one of the two names."
    for name in study.targets:
        if name in RULES:
            yield ("recipes", name), f"the name is reserved: '{name}' is a target of the workflow. Choose another."
    if "train" in study.subsets:
        yield ("subsets", "train"), "the name is reserved: 'train' means all training examples. Choose another."
    for name in study.corpora:
        if name in study.tasks:
            yield ("corpora", name), "a task has the same name. Choose another."


def _sources(study: Study) -> Iterable[Problem]:
    """Sources on this machine that do not exist; those on a hub are checked by the download."""
    found: list[tuple[tuple[str | int, ...], object]] = []
    for name, task in study.tasks.items():
        if isinstance(task.source, SplitSources):
            found += [(("tasks", name, "source", split), source) for split, source in task.source]
        else:
            found.append((("tasks", name, "source"), task.source))
        found += [(("tasks", name, "extra_test_sets", part), source) for part, source in task.extra_test_sets.items()]
    found += [(("corpora", name, "source"), corpus.source) for name, corpus in study.corpora.items()]
    found += [(("models", name), source) for name, source in study.models.items()]
    for path, source in found:
        problem = missing_source(source)
        if problem:
            yield path, problem


def _tasks(study: Study) -> Iterable[Problem]:
    for name, task in study.tasks.items():
        if study.replicates.folds and task.max_samples is not None:
            yield (
                ("tasks", name, "max_samples"),
                "cross-validation uses all training examples. Use 'fraction', or remove 'replicates.folds'.",
            )


def _subsets(study: Study) -> Iterable[Problem]:
    for name, subset in study.subsets.items():
        if subset.of not in {*study.tasks, *study.corpora}:
            yield (
                ("subsets", name, "of"),
                f"no task or corpus is called '{subset.of}'. {nearest(subset.of, {*study.tasks, *study.corpora})}",
            )
        elif subset.of in study.corpora and subset.stratify:
            yield ("subsets", name, "stratify"), f"the corpus '{subset.of}' has no labels. Remove the key."


def _steps(study: Study) -> Iterable[Problem]:
    for name, step in study.steps.items():
        yield from _initialization(study, name, step)
        for key, subsets in (("train_on", [*step.training_sets]), (step.reads_key, step.reads)):
            for subset in subsets:
                if subset not in {"train", *study.subsets}:
                    known = nearest(subset, {"train", *study.subsets})
                    yield ("steps", name, str(key)), f"no subset is called '{subset}'. {known}"
        if isinstance(step, Calibration):
            yield from _calibration(study, name, step)
    for name, message in co_teacher_problems(study):
        yield ("steps", name, "co_teachers"), message


def _initialization(study: Study, name: str, step: Step) -> Iterable[Problem]:
    start = step.initialization
    if start is None:
        return
    path = ("steps", name, *start.key)
    if start.model not in study.models:
        yield path, f"no model is called '{start.model}'. {nearest(start.model, study.models)}"
    elif start.layers is not None:
        wrong = layer_problem(start.layers, local_layer_count(study.models[start.model]), f"the model '{start.model}'")
        if wrong:
            yield path, wrong


def _calibration(study: Study, name: str, step: Calibration) -> Iterable[Problem]:
    subset = study.subsets.get(step.calibration)
    if subset is None:
        return
    if subset.size < step.calibration_size:
        yield (
            ("steps", name, "calibration_size"),
            f"'{step.calibration}' has {subset.size} examples, and the step calibrates on {step.calibration_size}. "
            "Reduce 'calibration_size', or name a larger subset.",
        )
    if subset.of in study.corpora and step.calibration_needs_labels:
        yield (
            ("steps", name, "calibration"),
            f"the step calibrates with labels, and '{step.calibration}' has none. "
            "Use 'calibration: train', or another 'score'.",
        )


def _recipes(study: Study) -> Iterable[Problem]:
    reasons: dict[str, list[str]] = {}  # one mistake in a step may break many recipes
    for name, lineage in study.recipes.items():
        reason = _recipe_problem(study, lineage)
        if reason:
            reasons.setdefault(reason, []).append(name)
    for reason, (name, *others) in reasons.items():
        also = f" The same holds for: {', '.join(others)}." if others else ""
        yield ("recipes", name), f"'{study.recipes[name]}'{reason}{also}"


def _recipe_problem(study: Study, lineage: str) -> str | None:
    if re.search(r"^/|//|/$|\s|^$", lineage):
        return " is not a recipe: write names of steps separated by slashes, for example teacher/kd/int8."
    unknown = next((step for step in steps_of(lineage) if step not in study.steps), None)
    if unknown is not None:
        return f": no step is called '{unknown}'. {nearest(unknown, study.steps)}"
    reason = chain_problem(study, lineage) or _problem_of_a_task(study, lineage)
    return f" cannot be built: {reason}" if reason else None


def _problem_of_a_task(study: Study, lineage: str) -> str | None:
    """Why a chain that can be built in general cannot be built for one of the tasks."""
    steps: list[Step] = [study.steps[name] for name in steps_of(lineage)]
    found = ((name, task.chain_problem(steps)) for name, task in study.tasks.items())
    return next((f"for the task '{name}', {problem}" for name, problem in found if problem), None)


def _steps_of_tasks(study: Study) -> Iterable[Problem]:
    """Settings of steps in recipes that mean nothing for one of the tasks."""
    used = {name for lineage in study.recipes.values() for name in steps_of(lineage)}
    for step in (name for name in study.steps if name in used):
        for name, task in study.tasks.items():
            problem = task.step_problem(study.steps[step])
            if problem:
                yield ("steps", step, problem.key), f"for the task '{name}', {problem.message}"
            if not task.learns_from_corpora:
                yield from _corpora_of_step(study, step, name)


def _corpora_of_step(study: Study, name: str, task: str) -> Iterable[Problem]:
    """Subsets of corpora that a step trains or calibrates on; counting their tokens is possible for every task."""
    step = study.steps[name]
    read = {"train_on": list(step.training_sets)}
    if step.reads_key and step.keeps_vocabulary:
        read[step.reads_key] = step.reads
    for key, subsets in read.items():
        for subset in subsets:
            if subset in study.subsets and study.subsets[subset].of in study.corpora:
                yield (
                    ("steps", name, key),
                    f"for the task '{task}', whose kind is {study.tasks[task].kind}, single texts are no examples, and the "
                    f"subset '{subset}' is of a corpus. Use 'train' or a subset of the task.",
                )


def _report(study: Study) -> Iterable[Problem]:
    for role in ("baseline", "control"):
        name = getattr(study.report, role)
        if name is not None and name not in study.recipes:
            known = nearest(name, study.recipes)
            if name in study.targets:
                known = f"A grid expands it into several, and one is needed: {', '.join(study.variants[name])}."
            yield ("report", role), f"no recipe is called '{name}'. {known}"
    if study.report.intervals == "recipe" and len(study.replicates.seeds) < 2:
        yield (
            ("report", "intervals"),
            "an interval for the recipe needs two seeds or more, since one does not show how much a training varies. Add some "
            "to 'replicates.seeds', or leave 'intervals' out.",
        )
