import pandas as pd
import pytest

from constrictor.data.checks import refuse_other_than_text
from constrictor.errors import ConstrictorError

PROSE = ["a fine film", "so boring, so long", "it has its moments, they say"]


def _refused(**columns) -> str:
    with pytest.raises(ConstrictorError) as caught:
        refuse_other_than_text(pd.DataFrame(columns), "text", "a.csv")
    return str(caught.value)


def test_numbers_instead_of_texts_are_refused_and_columns_with_words_named():
    found = _refused(
        text=[str(number) for number in range(30)],
        label=["good", "bad", "good"] * 10,
        year=[1999, 2000, None] * 10,
        title=["two words", "three short words", "x"] * 10,
        review=PROSE * 10,
        notes=["now and then a word", "", ""] * 10,
    )
    assert found == (
        "a.csv: 100 % of the column 'text' are numbers, and it is to hold the text. Name the right column in 'columns'; "
        "these look like text: review, title."
    )


@pytest.mark.parametrize(
    "cells", [[1, 2.5, None, 3], ["1,5", "", "-2"], ["১২", "২৪"], pd.array([1, 2, None], dtype="Int64")]
)
def test_numbers_in_every_spelling_are_numbers(cells):
    assert _refused(text=cells).endswith("are numbers, and it is to hold the text. No other column looks like text.")


def test_a_column_of_gaps_is_refused():
    found = _refused(text=["a text", *[""] * 10, *[" "] * 9], comment=["so it is"] * 20)
    assert found.startswith("a.csv: 95 % of the column 'text' is empty, and it is to hold the text.")
    assert found.endswith("these look like text: comment.")


@pytest.mark.parametrize(
    "cells",
    [
        ["1"] * 9 + ["one"],  # no more than nine in ten
        ["a text"] + [""] * 9,
        ["1984 was better", "4 stars", "10/10", "nan", "inf"],
    ],
)
def test_some_numbers_and_some_gaps_are_no_reason(cells):
    refuse_other_than_text(pd.DataFrame({"text": cells}), "text", "a.csv")
