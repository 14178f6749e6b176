from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from constrictor.data.duplicates import deduplicate, same_text_key

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a b", "A  B", "a\tb ", "c", "C", "d", "e\u0301", "\u00e9", "É"]), st.sampled_from("01")
    ),
    max_size=30,
)


@given(ROWS)
def test_what_stays_is_unique_unanimous_and_first(rows):
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    found = deduplicate(texts, labels)
    keys = [same_text_key(text) for text in texts]
    votes = {key: {label for other, label in zip(keys, labels, strict=True) if other == key} for key in keys}
    expected = [row for row, key in enumerate(keys) if len(votes[key]) == 1 and keys.index(key) == row]
    counts = Counter(keys)
    assert found.rows.tolist() == expected
    assert found.contradicting == sum(count for key, count in counts.items() if len(votes[key]) == 2)
    assert len(expected) + found.repeated + found.contradicting == len(rows)


@given(ROWS, st.integers(0, 30))
def test_no_text_is_on_both_sides_of_any_split(rows, cut):
    texts = [text for text, _ in rows]
    kept = [same_text_key(texts[row]) for row in deduplicate(texts, [label for _, label in rows]).rows]
    assert not set(kept[:cut]) & set(kept[cut:])


def test_form_case_and_white_space_do_not_make_a_difference():
    assert same_text_key(" Caf\u00e9\u00a0 au\nlait") == same_text_key("CAFE\u0301 AU LAIT")
    assert same_text_key("a film!") != same_text_key("a film")
