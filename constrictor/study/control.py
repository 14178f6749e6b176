"""Derive the control of a recipe that learns from a teacher: the same start and the same steps, with labels alone."""

from __future__ import annotations

from constrictor.errors import StudyMistake, nearest
from constrictor.study.lineage import ancestry, last_step, steps_of
from constrictor.study.report import ControlOf
from constrictor.study.steps.distil import Distil
from constrictor.study.study import AnyStep, Study
from constrictor.study.teachers import recovery_teacher

CONTROL = "control"
"""Name of the recipe that is derived."""

_PATH = ("report", "control", "of")


def with_control(study: Study) -> Study:
    """The study with the recipe `control` where `report.control` asks for that of a recipe; else the study itself.

    A step that learns from a teacher is replaced by one that does not, named after it: `kd-labels`. All else is shared.

    Raises:
        StudyMistake: if there is no such recipe, it has no teacher, or a recipe is called `control` already.
    """
    control = study.report.control
    if not isinstance(control, ControlOf):
        return study
    if control.of in study.variants:
        several = ", ".join(study.variants[control.of])
        raise StudyMistake(_PATH, f"a grid expands '{control.of}' into several, and one is needed: {several}.")
    if control.of not in study.recipes:
        raise StudyMistake(_PATH, f"no recipe is called '{control.of}'. {nearest(control.of, study.recipes)}")
    if CONTROL in study.recipes:
        raise StudyMistake(("recipes", CONTROL), "the name is that of the derived control. Choose another.")
    lineage = study.recipes[control.of]
    if not set(steps_of(lineage)) <= set(study.steps):
        return study.model_copy(update={"report": study.report.model_copy(update={"control": None})})  # refused later
    taught = {last_step(node): study.steps[last_step(node)] for node in ancestry(lineage) if _has_teacher(study, node)}
    if not taught:
        raise StudyMistake(_PATH, f"'{control.of}' learns from no teacher: a control would be the same recipe.")
    renamed = {name: f"{name}-labels" for name in taught}
    steps: dict[str, AnyStep] = {renamed[name]: step.with_labels_alone() for name, step in taught.items()}
    path = "/".join(renamed.get(name, name) for name in steps_of(lineage))
    return study.model_copy(
        update={
            "steps": {**study.steps, **steps},
            "recipes": {**study.recipes, CONTROL: path},
            "report": study.report.model_copy(update={"control": CONTROL}),
        }
    )


def _has_teacher(study: Study, node: str) -> bool:
    """Whether the step at the end of a lineage learns from a teacher."""
    return isinstance(study.steps[last_step(node)], Distil) or recovery_teacher(study, node) is not None
