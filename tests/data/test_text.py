from hypothesis import given
from hypothesis import strategies as st

from constrictor.data.text import Overlap, sentences_of, word_ngrams

WORDS = st.lists(st.sampled_from("abcd"), max_size=12)


@given(WORDS, WORDS, st.integers(1, 5))
def test_overlap_is_a_common_run_of_words(held_out, text, length):
    runs = {tuple(held_out[start : start + length]) for start in range(len(held_out) - length + 1)}
    expected = any(tuple(text[start : start + length]) in runs for start in range(len(text) - length + 1))
    assert (" ".join(text) in Overlap([" ".join(held_out)], length)) == expected


def test_length_zero_switches_the_check_off():
    assert "a b c" not in Overlap(["a b c"], 0)


def test_case_and_punctuation_do_not_hide_an_overlap():
    assert "So, it's A GOOD film; really." in Overlap(["it's a good film"], 5)
    assert "It is a good film" not in Overlap(["it's a good film"], 5)


def test_ngrams_of_a_short_text_are_none():
    assert list(word_ngrams("one two", 3)) == []


def test_sentences_end_at_marks_of_several_scripts():
    going, coming = "\u0986\u09ae\u09bf \u09af\u09be\u0987\u0964", "\u09a4\u09c1\u09ae\u09bf \u0986\u09b8\u09cb\u0964"
    found = sentences_of(f'He said "No!" She left. {going} {coming}', 2, 9)
    assert list(found) == ['He said "No!', "She left.", going, coming]


def test_a_number_with_a_point_is_not_split():
    assert list(sentences_of("It costs 3.50 dollars a day.", 1, 9)) == ["It costs 3.50 dollars a day."]


@given(st.text(alphabet="ab .!?\n", max_size=60), st.integers(1, 4), st.integers(4, 8))
def test_sentences_have_the_allowed_number_of_words(document, fewest, most):
    for sentence in sentences_of(document, fewest, most):
        assert fewest <= len(sentence.split()) <= most
        assert sentence == " ".join(sentence.split())
