"""What a kind of task puts on top of an encoder: the head that transformers builds for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Head(NamedTuple):
    """A model's head, as transformers defines it.

    Attributes:
        auto_class: transformers' class that opens a model with such a head, as `AutoModelForSequenceClassification`.
        names: names of the outputs, in their order.
        outputs: our names of the output arrays, with the attributes of what transformers' model returns.
        config: what the model's configuration records beside the number of outputs.
        peft_task: the kind of task by which peft wraps the model.
        title: what to call such a model in messages.
        order: the order in which the outputs of a checkpoint's own head are the task's; called with transformers'
            configuration, the task's label for outputs whose names differ, and the checkpoint's name for messages. Raises
            ConstrictorError if it is no head for the task.
    """

    auto_class: str
    names: list[str]
    outputs: dict[str, str]
    config: dict[str, Any]
    peft_task: str
    title: str
    order: Callable[[Any, Mapping[str, str], str], list[int]]

    @property
    def class_ending(self) -> str:
        """How transformers' classes with such a head end.

        >>> Head("AutoModelForQuestionAnswering", ["start", "end"], {}, {}, "", "", lambda *_: []).class_ending
        'ForQuestionAnswering'
        """
        return self.auto_class.removeprefix("AutoModel")
