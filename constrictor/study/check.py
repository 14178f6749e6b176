"""Checks across the parts of a study: names that must exist, sources that must be there, chains that must work."""

from __future__ import annotations

import re
from collections.abc import Iterable

from constrictor.errors import nearest
from constrictor.study.chain import chain_problem
from constrictor.study.layers import layer_problem
from constrictor.study.lineage import RESERVED, steps_of
from constrictor.study.local_sources import local_layer_count, missing_source
from constrictor.study.sources import SplitSources
from constrictor.study.steps.distil import Distil, StudentModel
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.prune import Structured
from constrictor.study.steps.recovery import Calibration
from constrictor.study.study import Study
from constrictor.study.teachers import co_teacher_problems

Problem = tuple[tuple[str | int, ...], str]

# Names that the workflow itself gives to its targets.
RULES = frozenset(
    "all download_dataset download_corpus download_extra_test_set cut_folds download_model select_subset teacher_outputs "
    "finetune distil prune quantize quantize_aware export evaluate latency fair_baseline compare".split()
)


def problems(study: Study) -> list[Problem]:
    """Everything that keeps a study from being built: key path and message, in the order of the file."""
    checks = (_names, _sources, _tasks, _subsets, _steps, _recipes, _report)
    return [problem for check in checks for problem in check(study)]


def _names(study: Study) -> Iterable[Problem]:
    for name in study.steps:
        if name in RESERVED:
            yield ("steps", name), f"the name is taken: a model's folder holds a '{name}' already. Choose another."
    first_with: dict[str, str] = {}
    for name, lineage in study.recipes.items():
        twin = first_with.setdefault(lineage, name)
        if twin != name:
            yield ("recipes", name), f"'{lineage}' is the recipe '{twin}' already. Keep one of the two names."
    for name in study.targets:
        if name in RULES:
            yield ("recipes", name), f"the name is taken: '{name}' is a target of the workflow. Choose another."
    if "train" in study.subsets:
        yield ("subsets", "train"), "the name is taken: 'train' means all training examples. Choose another."
    for name in study.corpora:
        if name in study.tasks:
            yield ("corpora", name), "a task has the same name. Choose another."


def _sources(study: Study) -> Iterable[Problem]:
    """What should lie on this machine and does not; a hub is asked by the download."""
    found: list[tuple[tuple[str | int, ...], object]] = []
    for name, task in study.tasks.items():
        if isinstance(task.source, SplitSources):
            found += [(("tasks", name, "source", split), source) for split, source in task.source]
        else:
            found.append((("tasks", name, "source"), task.source))
        found += [(("tasks", name, "extra_tests", part), source) for part, source in task.extra_tests.items()]
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
                "folds draw their training examples from all that there are. Use 'fraction', or leave 'replicates.folds' out.",
            )


def _subsets(study: Study) -> Iterable[Problem]:
    for name, subset in study.subsets.items():
        if subset.of not in {*study.tasks, *study.corpora}:
            yield (
                ("subsets", name, "of"),
                f"no task or corpus is called '{subset.of}'. {nearest(subset.of, {*study.tasks, *study.corpora})}",
            )
        elif subset.of in study.corpora and subset.stratify:
            yield ("subsets", name, "stratify"), f"the corpus '{subset.of}' has no classes. Leave the key out."


def _steps(study: Study) -> Iterable[Problem]:
    for name, step in study.steps.items():
        if isinstance(step, Finetune):
            yield from _model_and_layers(study, ("steps", name, "model"), step.model_name, step.layers)
        if isinstance(step, Distil) and isinstance(step.student, StudentModel):
            yield from _model_and_layers(study, ("steps", name, "student", "model"), step.student.model, None)
        for key in ("on", "calibration", "text"):
            named = getattr(step, key, [])
            for part in [named] if isinstance(named, str) else named:
                if part not in {"train", *study.subsets}:
                    yield (
                        ("steps", name, key),
                        f"no subset is called '{part}'. {nearest(part, {'train', *study.subsets})}",
                    )
        if isinstance(step, Calibration):
            yield from _calibration(study, name, step)
    for name, message in co_teacher_problems(study):
        yield ("steps", name, "co_teachers"), message


def _calibration(study: Study, name: str, step: Calibration) -> Iterable[Problem]:
    subset = study.subsets.get(step.calibration)
    if subset is None:
        return
    if subset.size < step.calibration_size:
        yield (
            ("steps", name, "calibration_size"),
            f"'{step.calibration}' has {subset.size} examples and the step wants to look at {step.calibration_size}. "
            "Lower 'calibration_size', or name a larger subset.",
        )
    if subset.of in study.corpora and isinstance(step, Structured) and step.score == "taylor":
        yield (
            ("steps", name, "calibration"),
            f"the score 'taylor' needs labels, and '{step.calibration}' is unlabelled text. "
            "Use 'calibration: train', or another 'score'.",
        )


def _model_and_layers(
    study: Study, path: tuple[str | int, ...], model: str | None, layers: list[int] | None
) -> Iterable[Problem]:
    if model is None:
        return
    if model not in study.models:
        yield path, f"no model is called '{model}'. {nearest(model, study.models)}"
    elif layers is not None:
        wrong = layer_problem(layers, local_layer_count(study.models[model]), f"the model '{model}'")
        if wrong:
            yield path, wrong


def _recipes(study: Study) -> Iterable[Problem]:
    reasons: dict[str, list[str]] = {}  # one mistake of a step spoils many recipes
    for name, lineage in study.recipes.items():
        reason = _recipe_problem(study, lineage)
        if reason:
            reasons.setdefault(reason, []).append(name)
    for reason, (name, *others) in reasons.items():
        also = f" The same with: {', '.join(others)}." if others else ""
        yield ("recipes", name), f"'{study.recipes[name]}'{reason}{also}"


def _recipe_problem(study: Study, lineage: str) -> str | None:
    if re.search(r"^/|//|/$|\s|^$", lineage):
        return " is no recipe: write steps with one slash between them, as teacher/kd/int8."
    unknown = next((step for step in steps_of(lineage) if step not in study.steps), None)
    if unknown is not None:
        return f": no step is called '{unknown}'. {nearest(unknown, study.steps)}"
    reason = chain_problem(study, lineage)
    return f" cannot be built: {reason}" if reason else None


def _report(study: Study) -> Iterable[Problem]:
    for role in ("baseline", "control"):
        name = getattr(study.report, role)
        if name is not None and name not in study.recipes:
            known = nearest(name, study.recipes)
            if name in study.targets:
                known = f"A grid makes several of it, and one is needed: {', '.join(study.variants[name])}."
            yield ("report", role), f"no recipe is called '{name}'. {known}"
