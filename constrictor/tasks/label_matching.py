"""Match the outputs of a head that a checkpoint brings with a task's labels, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from constrictor.errors import ConstrictorError, nearest

_UNNAMED = "LABEL_"  # transformers' name of an output that nobody has named, before its number


def match_labels(found: Sequence[str], wanted: Sequence[str], renamed: Mapping[str, str], where: str) -> list[int]:
    """For each of a task's labels, the number of the checkpoint's output that stands for it.

    Names are compared as they are; if they differ, without regard to case and surrounding white space. Where the task's
    labels are the numbers from 0, `LABEL_0` is 0 and so on, since transformers numbers outputs without a name.

    Args:
        found: names of the checkpoint's outputs, in their order (`id2label`).
        wanted: the task's labels, in the order of the model's outputs.
        renamed: the task's label for some of the checkpoint's names, as the step's key `labels` has it.
        where: the checkpoint, for messages.

    Raises:
        ConstrictorError: if a name in `renamed` is none of the checkpoint's, or its label none of the task's; if two outputs
            have one name; if the names are not the task's labels.

    >>> match_labels(["POSITIVE", "NEGATIVE"], ["negative", "positive"], {}, "the model")
    [1, 0]
    >>> match_labels(["LABEL_0", "LABEL_1"], ["bad", "good"], {"LABEL_0": "good", "LABEL_1": "bad"}, "the model")
    [1, 0]
    """
    _refuse_bad_names(found, wanted, renamed, where)
    names = [renamed.get(name, name) for name in found]
    for spelling in (str, _folded):
        spelled, labels = [spelling(name) for name in names], [spelling(label) for label in wanted]
        if len(set(spelled)) == len(set(labels)) == len(spelled) and set(spelled) == set(labels):
            return [spelled.index(label) for label in labels]
    numbers = [str(number) for number in range(len(names))]
    if sorted(wanted) == sorted(numbers) and names == [f"{_UNNAMED}{number}" for number in numbers]:
        return [int(label) for label in wanted]
    raise ConstrictorError(
        f"the head of the model in {where} does not have the task's labels. Its outputs: {', '.join(found)}. "
        f"The task's labels: {', '.join(wanted)}. {_way_out(found, wanted, renamed)}"
    )


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _refuse_bad_names(found: Sequence[str], wanted: Sequence[str], renamed: Mapping[str, str], where: str) -> None:
    for name, label in renamed.items():
        if name not in found:
            raise ConstrictorError(
                f"'labels': the model in {where} has no output '{name}'. Its outputs: {', '.join(found)}. "
                f"{nearest(name, found)}"
            )
        if label not in wanted:
            raise ConstrictorError(
                f"'labels': the task has no label '{label}' (for '{name}'). {nearest(label, wanted)}"
            )
    labels = list(renamed.values())
    twice = next((label for place, label in enumerate(labels) if label in labels[:place]), None)
    if twice is not None:
        raise ConstrictorError(
            f"'labels': two outputs of the model in {where} are to be '{twice}'. Map each to its own."
        )


def _way_out(found: Sequence[str], wanted: Sequence[str], renamed: Mapping[str, str]) -> str:
    """What to do about names that do not match, with a mapping of all that are not the labels themselves."""
    if len(found) != len(wanted):
        return (
            "Their numbers differ: choose another checkpoint, list its labels in the task's 'labels', or train a new head "
            "('new_head: true' in a 'finetune' or 'distil' step)."
        )
    labels = {_folded(label) for label in wanted}
    unnamed = [name for name in found if name not in renamed and _folded(name) not in labels]
    taken = {_folded(renamed.get(name, name)) for name in found}
    free = [label for label in wanted if _folded(label) not in taken]
    pairs = {**renamed, **dict(zip(unnamed, free, strict=False))}
    mapping = ", ".join(f"{name}: {label}" for name, label in pairs.items())
    return (
        f"Say in the step what each output means, for example 'labels: {{{mapping}}}' if that is its meaning, or train a new "
        "head ('new_head: true' in a 'finetune' or 'distil' step)."
    )
