"""The teachers of each training in a study, and why a recipe cannot be a teacher."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from constrictor.errors import nearest
from constrictor.study.lineage import all_nodes, ancestry, last_step, parent_of
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.recovery import Recovery
from constrictor.study.study import Study


def recovery_teacher(study: Study, lineage: str) -> str | None:
    """The teacher of the recovery fine-tuning at the end of a lineage; None if it uses labels only, or if there is none.

    It is the nearest ancestor that ends with the step's `teacher`; by default, the one that the step's class defines.
    """
    step, above = study.steps[last_step(lineage)], ancestry(lineage)[:-1]
    if not isinstance(step, Recovery) or not step.trains:
        return None
    if step.teacher is not None:
        return next((node for node in reversed(above) if last_step(node) == step.teacher), None)
    if step.default_teacher == "parent":
        return above[-1]
    distillation = last_distillation(study, lineage)
    return parent_of(distillation) if distillation else None


def last_distillation(study: Study, lineage: str) -> str | None:
    """The last distillation above the end of a lineage."""
    above = reversed(ancestry(lineage)[:-1])
    return next((node for node in above if isinstance(study.steps[last_step(node)], Distil)), None)


def co_teachers(study: Study, lineage: str) -> list[str]:
    """The further teachers of the distillation at the end of a lineage; empty for other steps."""
    step = study.steps.get(last_step(lineage))
    return (
        [study.recipes[name] for name in step.co_teachers if name in study.recipes] if isinstance(step, Distil) else []
    )


def co_teacher_problems(study: Study) -> Iterable[tuple[str, str]]:
    """Why a recipe cannot be a further teacher: the name of the step that lists it, and the message."""
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
            return f"the recipe '{recipe}' cannot be a teacher of '{node}', since it is built from it. Remove it from the list."
        if parent_of(node) == teacher:
            return f"the recipe '{recipe}' is the parent of '{node}' and thus its teacher already. Remove it from the list."
    return None


def _needed(study: Study, lineage: str, seen: set[str]) -> Iterator[str]:
    """All lineages that one depends on, including itself, each once."""
    for node in ancestry(lineage):
        if node not in seen:
            seen.add(node)
            yield node
            for teacher in co_teachers(study, node):
                yield from _needed(study, teacher, seen)
