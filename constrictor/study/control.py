"""Derive the control of a recipe that learns from a teacher: the same start and the same steps, with labels alone."""

from __future__ import annotations

import os
from collections.abc import Sequence

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

    A step that learns from a teacher is replaced by one that does not, named after it: `kd-labels`. All else is shared. What a
    grid varies of the teaching makes no difference to the control.

    Raises:
        StudyMistake: if there is no such recipe, it has no teacher, a grid varies what the control has, too, or a recipe or
            step has the name of a derived one.
    """
    control = study.report.control
    if not isinstance(control, ControlOf):
        return study
    if control.of not in study.targets:
        raise StudyMistake(_PATH, f"no recipe is called '{control.of}'. {nearest(control.of, study.targets)}")
    if CONTROL in study.recipes:
        raise StudyMistake(("recipes", CONTROL), "the name is that of the derived control. Choose another.")
    lineages = study.targets[control.of]
    if not all(name in study.steps for lineage in lineages for name in steps_of(lineage)):
        return _controlled_by(study, None)  # unknown steps are refused with the recipe
    steps: dict[str, AnyStep] = {}
    path = [_place(study, places, control.of, steps) for places in zip(*map(ancestry, lineages), strict=True)]
    if not steps:
        raise StudyMistake(_PATH, f"'{control.of}' learns from no teacher: a control would be the same recipe.")
    derived = {"steps": {**study.steps, **steps}, "recipes": {**study.recipes, CONTROL: "/".join(path)}}
    return _controlled_by(study.model_copy(update=derived), CONTROL)


def _controlled_by(study: Study, recipe: str | None) -> Study:
    return study.model_copy(update={"report": study.report.model_copy(update={"control": recipe})})


def _place(study: Study, nodes: Sequence[str], of: str, derived: dict[str, AnyStep]) -> str:
    """The name of the control's step in the place of one step, or of the variants of one; adds it to those derived."""
    names = [last_step(node) for node in nodes]
    steps = [study.steps[name] for name in names]
    if any(_has_teacher(study, node) for node in nodes):
        steps = [step.with_labels_alone() for step in steps]
    if any(step != steps[0] for step in steps):
        several = ", ".join(study.variants[of])
        raise StudyMistake(_PATH, f"a grid expands '{of}' into several with different controls. Name one: {several}.")
    if steps[0] is study.steps[names[0]]:
        return names[0]
    prefix = os.path.commonprefix(names)  # noqa: RUF071  # a step's name, and what the values of its grid begin with
    name = names[0] if len(set(names)) == 1 else prefix.rpartition("-")[0]
    derived_name = f"{name}-labels"
    if derived_name in study.steps:
        raise StudyMistake(
            ("steps", derived_name), "the name is that of a step of the derived control. Choose another."
        )
    derived[derived_name] = steps[0]
    return derived_name


def _has_teacher(study: Study, node: str) -> bool:
    """Whether the step at the end of a lineage learns from a teacher."""
    return isinstance(study.steps[last_step(node)], Distil) or recovery_teacher(study, node) is not None
