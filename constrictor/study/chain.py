"""Walk a chain of steps: the state of each model before anything runs, and why a chain cannot be built."""

from __future__ import annotations

from constrictor.errors import nearest
from constrictor.study.lineage import ancestry, last_step, steps_of
from constrictor.study.local_sources import local_layer_count
from constrictor.study.model_state import ModelState
from constrictor.study.steps.recovery import Recovery
from constrictor.study.steps.step import Step
from constrictor.study.study import Study
from constrictor.study.teachers import recovery_teacher


def chain_problem(study: Study, lineage: str) -> str | None:
    """Why a chain of known steps cannot be built, with the fix; None if it can."""
    found = model_state(study, lineage)
    return found if isinstance(found, str) else None


def model_state(study: Study, lineage: str) -> ModelState | str:
    """The state of the model at the end of a chain, or the reason why the chain cannot be built."""
    state: ModelState | None = None
    for node in ancestry(lineage):
        found = _after(study, node, state)
        problem = found if isinstance(found, str) else _recovery_problem(study, node, found)
        if problem:
            return problem
        assert isinstance(found, ModelState)
        state = found
    assert state is not None, "a lineage has a step"
    return state


def precision_step(study: Study, lineage: str) -> Step | None:
    """The last step of a valid chain that changed the model's precision; None if it is float32 throughout."""
    state, found = None, None
    for node in ancestry(lineage):
        after = _after(study, node, state)
        if isinstance(after, str):
            return None
        if after.precision != (state.precision if state else "fp32"):
            found = study.steps[last_step(node)]
        state = after
    return found


def _after(study: Study, node: str, parent: ModelState | None) -> ModelState | str:
    name = last_step(node)
    return study.steps[name].after(name, parent, lambda model: local_layer_count(study.models.get(model)))


def _recovery_problem(study: Study, lineage: str, state: ModelState) -> str | None:
    """Why the recovery fine-tuning at the end of a chain cannot run; None if it can, or if there is none."""
    name = last_step(lineage)
    step = study.steps[name]
    if not isinstance(step, Recovery) or not step.trains:
        return None
    before = steps_of(lineage)[:-1]
    if step.teacher is not None and step.teacher not in before:
        return f"the teacher '{step.teacher}' of '{name}' does not come before it. {nearest(step.teacher, before)}"
    teacher = recovery_teacher(study, lineage)
    if teacher is not None:
        return _teacher_problem(study, lineage, step, state, teacher) if step.needs_online_teacher else None
    unlabelled = [part for part in step.train_on if part in study.subsets and study.subsets[part].of in study.corpora]
    if not unlabelled and not step.needs_online_teacher:
        return None
    why = f"trains on '{unlabelled[0]}', which has no labels" if unlabelled else "distils hidden states or attention"
    return f"'{name}' {why}, and has no teacher. Name one: 'teacher: {before[0]}'."


def _teacher_problem(study: Study, lineage: str, step: Recovery, state: ModelState, teacher: str) -> str | None:
    """Why a recovery fine-tuning cannot distil its teacher's intermediate representations; None if it can."""
    name = last_step(lineage)
    between = steps_of(lineage.removeprefix(f"{teacher}/"))
    pruned = [part for part in between if not study.steps[part].keeps_vocabulary]
    if pruned:
        return (
            f"'{name}' distils hidden states or attention, and '{pruned[0]}' gives it another vocabulary than its teacher's. "
            "Remove 'hidden' and 'attention', or name a teacher after that step."
        )
    of_teacher = model_state(study, teacher)
    return of_teacher if isinstance(of_teacher, str) else step.teacher_problem(name, state, of_teacher)
