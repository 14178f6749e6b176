"""Windows of long contexts, and where an answer is in them (Devlin et al., 2019, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from constrictor.data.batching import Encoded, Text
from constrictor.errors import ConstrictorError
from constrictor.tasks.kind import Features

if TYPE_CHECKING:
    from constrictor.data.tokenization import Tokenizer

NO_ANSWER = ""
_CONTEXT = 1  # of the two texts of an input, the second


class Window(NamedTuple):
    """Where in its context the tokens of a window are.

    Attributes:
        first: place in the window of the first token of the context.
        offsets: ``(tokens, 2)`` of the context's tokens: the characters before each token and before its end.
    """

    first: int
    offsets: np.ndarray


def windows_of(tokenizer: Tokenizer, inputs: Sequence[Text], stride: int) -> Features:
    """The windows of some questions with their contexts; the details of the features are a :class:`Window` for each.

    Args:
        tokenizer: the model's tokenizer; its ``max_length`` is that of a window.
        inputs: pairs of a question and its context.
        stride: tokens of the context that consecutive windows have in common.

    Raises:
        ConstrictorError: a question that leaves the context no room, an input that is no pair.
    """
    encoded: Encoded = []
    windows: list[Window] = []
    example, lengths = [], []
    for number, (pair, encoding) in enumerate(zip(inputs, _encodings(tokenizer, inputs), strict=True)):
        owners = np.array([-1 if owner is None else owner for owner in encoding.sequence_ids])
        ids = np.stack([np.array(encoding.ids, np.int32), np.array(encoding.type_ids, np.int32)], axis=1)
        offsets = np.array(encoding.offsets, np.int32).reshape(-1, 2)
        places = np.flatnonzero(owners == _CONTEXT)
        if not len(places):
            raise ConstrictorError(
                f"the context of the question '{_short(pair[0])}' has no token. Remove the question."
            )
        first, last = int(places[0]), int(places[-1]) + 1
        room = tokenizer.max_length - (len(ids) - (last - first))
        if last - first > room and room <= stride:
            raise ConstrictorError(
                f"the question '{_short(pair[0])}' has {int((owners == 0).sum())} tokens: of a window of {tokenizer.max_length} "
                f"that leaves {max(room, 0)} for the context, and windows share {stride}. Raise the task's 'max_length', lower "
                "its 'stride', or shorten the question."
            )
        for start in _starts(last - first, room, stride):
            chosen = slice(first + start, min(first + start + room, last))
            encoded.append(np.concatenate([ids[:first], ids[chosen], ids[last:]]))
            windows.append(Window(first, offsets[chosen]))
            example.append(number)
        lengths.append(len(ids))
    return Features(encoded, np.array(example, np.int64), np.array(lengths, np.int64), windows)


def _encodings(tokenizer: Tokenizer, inputs: Sequence[Text]) -> Iterator[Any]:
    single = next((text for text in inputs if isinstance(text, str)), None)
    if single is not None:
        raise ConstrictorError(
            f"question answering needs pairs of a question and its context, and '{_short(single)}' is a single text. Use the "
            "task's own questions instead of a corpus."
        )
    return tokenizer.encodings(inputs, offsets=True)


def _starts(tokens: int, room: int, stride: int) -> range:
    """The first token of each window, up to the window that contains the last token.

    >>> list(_starts(10, room=5, stride=2)), list(_starts(5, room=5, stride=2))
    ([0, 3, 6], [0])
    """
    return range(0, max(tokens - stride, 1), room - stride) if tokens > room else range(1)


def answer_tokens(window: Window, answer: Mapping[str, Any]) -> tuple[int, int]:
    """Places in a window of the first and the last token of an answer; (0, 0) if the window does not contain all of it.

    Args:
        window: the window.
        answer: its ``text`` and ``start``; a start below 0 stands for no answer.
    """
    start, end = answer["start"], answer["start"] + len(answer["text"])
    starts, ends = window.offsets[:, 0], window.offsets[:, 1]
    if start < 0 or start < starts[0] or end > ends[-1]:
        return 0, 0
    # Tokens that overlap with the answer: it may begin or end within a token.
    first = int(np.searchsorted(ends, start, side="right"))
    last = int(np.searchsorted(starts, end, side="left")) - 1
    return (window.first + first, window.first + last) if first <= last else (0, 0)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
