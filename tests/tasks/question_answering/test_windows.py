import itertools

import numpy as np
import pytest
from transformers import AutoTokenizer

from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.tasks.question_answering.windows import answer_tokens, windows_of

PAIRS = [
    ("what was good", "the film was good and the plot was bad " * 6),
    ("who", "the film was good"),
    ("was the plot bad", " ".join(["film"] * 29)),
]


@pytest.mark.parametrize(("max_length", "stride"), [(16, 4), (24, 0), (32, 12), (128, 8)])
def test_windows_are_those_that_transformers_makes(tiny_model, max_length, stride):
    features = windows_of(Tokenizer(tiny_model, max_length), PAIRS, stride)
    questions, contexts = zip(*PAIRS, strict=True)
    expected = AutoTokenizer.from_pretrained(tiny_model)(
        list(questions), list(contexts), truncation="only_second", max_length=max_length, stride=stride,
        return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    assert [window[:, 0].tolist() for window in features.encoded] == expected["input_ids"]
    assert [window[:, 1].tolist() for window in features.encoded] == expected["token_type_ids"]
    assert features.example.tolist() == expected["overflow_to_sample_mapping"]
    for number, window in enumerate(features.details):
        owners = expected.sequence_ids(number)
        spans = [
            list(span) for span, owner in zip(expected["offset_mapping"][number], owners, strict=True) if owner == 1
        ]
        assert window.offsets.tolist() == spans
        assert window.first == owners.index(1)


def test_an_answer_is_found_in_every_window_that_contains_it_and_in_no_other(tiny_model):
    context = PAIRS[0][1]
    features = windows_of(Tokenizer(tiny_model, 20), PAIRS[:1], stride=6)
    words = [(place, place + len(word)) for place, word in _words(context)]
    for (start, _), (_, end) in itertools.product(words, words):
        if start >= end:
            continue
        answer = {"text": context[start:end], "start": start}
        for window in features.details:
            first, last = answer_tokens(window, answer)
            inside = window.offsets[0, 0] <= start and end <= window.offsets[-1, 1]
            if not inside:
                assert (first, last) == (0, 0)
                continue
            offsets = window.offsets[[first - window.first, last - window.first]]
            assert context[offsets[0, 0] : offsets[1, 1]] == answer["text"]


def _words(text: str) -> list[tuple[int, str]]:
    return [(place, word) for word in set(text.split()) for place in range(len(text)) if text.startswith(word, place)]


def test_an_answer_within_a_word_takes_the_whole_token(tiny_model):
    (window,) = windows_of(Tokenizer(tiny_model, 32), [("who", "the film was good")], stride=4).details
    first, last = answer_tokens(window, {"text": "il", "start": 5})
    assert first == last
    assert window.offsets[first - window.first].tolist() == [4, 8]
    assert answer_tokens(window, {"text": "", "start": -1}) == (0, 0)


def test_a_question_that_fills_the_window_is_refused(tiny_model):
    tokenizer = Tokenizer(tiny_model, 16)
    pair = (" ".join(["was"] * 12), " ".join(["film"] * 9))
    with pytest.raises(
        ConstrictorError, match=r"the question 'was was .* was' has 12 tokens: of a window of 16 that leaves 1"
    ):
        windows_of(tokenizer, [pair], stride=4)
    assert len(windows_of(tokenizer, [(pair[0], "film")], stride=4).encoded) == 1  # all of it fits


def test_single_texts_and_empty_contexts_are_refused(tiny_model):
    with pytest.raises(ConstrictorError, match="pairs of a question and its context, and 'a text' is a single text"):
        windows_of(Tokenizer(tiny_model, 16), ["a text"], stride=4)
    with pytest.raises(ConstrictorError, match="the context of the question 'who' has no token"):
        windows_of(Tokenizer(tiny_model, 16), [("who", " ")], stride=4)


def test_every_token_of_a_context_is_in_some_window(tiny_model):
    tokens = len(Tokenizer(tiny_model, 512).encode([PAIRS[0]])[0])
    for max_length, stride in [(16, 0), (16, 8), (40, 30)]:
        features = windows_of(Tokenizer(tiny_model, max_length), PAIRS[:1], stride)
        covered = np.unique(np.concatenate([window.offsets[:, 0] for window in features.details]))
        assert len(covered) == tokens - 6  # three of the question, three special ones
