"""Who teaches whom in a study, and why a teacher cannot be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from constrictor.errors import nearest
from constrictor.study.lineage import all_nodes, ancestry, last_step, parent_of
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.quantize import QuantizationAware
from constrictor.study.steps.recovery import Recovery
from constrictor.study.study import Study


def recovery_teacher(study: Study, lineage: str) -> str | None:
    """The lineage that teaches the recovery at the end of a lineage; None where labels teach alone or nothing recovers.

    It is the nearest step above of the name that the step gives, else the teacher of the last distillation above; a
    quantization-aware training is taught by its parent.
    """
    step, above = study.steps[last_step(lineage)], ancestry(lineage)[:-1]
    if not isinstance(step, Recovery) or not step.finetune_epochs:
        return None
    if step.teacher is not None:
        return next((node for node in reversed(above) if last_step(node) == step.teacher), None)
    if isinstance(step, QuantizationAware):
        return above[-1]
    distillation = last_distillation(study, lineage)
    return parent_of(distillation) if distillation else None


def last_distillation(study: Study, lineage: str) -> str | None:
    """The last distillation above the end of a lineage."""
    above = reversed(ancestry(lineage)[:-1])
    return next((node for node in above if isinstance(study.steps[last_step(node)], Distil)), None)


def co_teachers(study: Study, lineage: str) -> list[str]:
    """The lineages that teach beside the parent, where a lineage ends with a distillation that has such."""
    step = study.steps.get(last_step(lineage))
    return (
        [study.recipes[name] for name in step.co_teachers if name in study.recipes] if isinstance(step, Distil) else []
    )


def co_teacher_problems(study: Study) -> Iterable[tuple[str, str]]:
    """Why a recipe cannot teach beside a parent: the step that names it, and the message."""
    for name, step in study.steps.items():
        for recipe in step.co_teachers if isinstance(step, Distil) else []:
            problem = _co_teacher_problem(study, name, recipe)
            if problem:
                yield name, problem


def _co_teacher_problem(study: Study, name: str, recipe: str) -> str | None:
    if recipe not in study.recipes:
        return f"no recipe is called '{recipe}'. {nearest(recipe, study.recipes)}"
    teacher = study.recipes[recipe]
    needed = set(_needed(study, teacher, set()))
    for node in all_nodes(study.recipes.values()):
        if last_step(node) != name:
            continue
        if node in needed:
            return f"the recipe '{recipe}' cannot teach '{node}', since it is made with it. Take it out of the list."
        if parent_of(node) == teacher:
            return f"the recipe '{recipe}' is the parent of '{node}' and teaches it already. Take it out of the list."
    return None


def _needed(study: Study, lineage: str, seen: set[str]) -> Iterator[str]:
    """All lineages that have to be built for one, itself included, each once."""
    for node in ancestry(lineage):
        if node not in seen:
            seen.add(node)
            yield node
            for teacher in co_teachers(study, node):
                yield from _needed(study, teacher, seen)
