import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrictor.errors import ConstrictorError
from constrictor.tasks.label_matching import match_labels

HERE = "models/mine"


@pytest.mark.parametrize(
    ("found", "wanted", "renamed", "order"),
    [
        (["bad", "good"], ["bad", "good"], {}, [0, 1]),
        (["good", "bad"], ["bad", "good"], {}, [1, 0]),
        (["POSITIVE", "NEGATIVE"], ["negative", "positive"], {}, [1, 0]),
        ([" Not  hate ", "HATE"], ["hate", "not hate"], {}, [1, 0]),
        (["STRASSE", "weg"], ["weg", "straße"], {}, [1, 0]),
        (["us", "US"], ["US", "us"], {}, [1, 0]),  # case counts where it tells two labels apart
        (["LABEL_0", "LABEL_1", "LABEL_2"], ["2", "0", "1"], {}, [2, 0, 1]),
        (["LABEL_0", "LABEL_1"], ["good", "bad"], {"LABEL_0": "bad", "LABEL_1": "good"}, [1, 0]),
        (["neutral", "LABEL_1"], ["positive", "neutral"], {"LABEL_1": "positive"}, [1, 0]),
        (["a", "b"], ["a", "b"], {"a": "b", "b": "a"}, [1, 0]),
    ],
)
def test_outputs_are_matched_by_name(found, wanted, renamed, order):
    assert match_labels(found, wanted, renamed, HERE) == order


@given(
    st.lists(st.text(min_size=1), min_size=1, max_size=8, unique_by=lambda text: " ".join(text.split()).casefold()),
    st.randoms(),
)
def test_any_names_in_any_order_find_their_places(names, random):
    wanted = names.copy()
    random.shuffle(wanted)
    assert [names[place] for place in match_labels(names, wanted, {}, HERE)] == wanted


@pytest.mark.parametrize(
    ("found", "wanted", "renamed", "message"),
    [
        (
            ["LABEL_0", "LABEL_1"], ["bad", "good"], {},
            "Its outputs: LABEL_0, LABEL_1. The task's labels: bad, good. Say in the step what each output means, for example "
            "'labels: {LABEL_0: bad, LABEL_1: good}' if that is its meaning, or train a new head",
        ),
        (["Bad", "excellent"], ["bad", "good"], {}, "for example 'labels: {excellent: good}' if that is its meaning"),
        (["LABEL_1", "LABEL_0"], ["0", "1"], {}, "Its outputs: LABEL_1, LABEL_0"),  # numbered against its own numbers
        (["a", "b", "c"], ["a", "b"], {}, "Its outputs: a, b, c. The task's labels: a, b. Their numbers differ"),
        (["a", "a"], ["a", "b"], {}, "does not have the task's labels"),
        (["A", "a"], ["a", "b"], {}, "does not have the task's labels"),
        (["LABEL_0", "LABEL_1"], ["bad", "good"], {"LABEL_2": "bad"}, "has no output 'LABEL_2'. Its outputs: LABEL_0, LABEL_1."),
        (["LABEL_0", "LABEL_1"], ["bad", "good"], {"LABEL_0": "god"}, "no label 'god' (for 'LABEL_0'). Did you mean 'good'?"),
        (["LABEL_0", "LABEL_1"], ["bad", "good"], {"LABEL_0": "bad", "LABEL_1": "bad"}, "two outputs of the model in"),
        (["LABEL_0", "LABEL_1"], ["bad", "good"], {"LABEL_0": "bad"}, "for example 'labels: {LABEL_0: bad, LABEL_1: good}'"),
    ],
)  # fmt: skip
def test_outputs_that_are_not_the_labels_are_refused_with_both_lists(found, wanted, renamed, message):
    with pytest.raises(ConstrictorError, match=re.escape(message)):
        match_labels(found, wanted, renamed, HERE)
