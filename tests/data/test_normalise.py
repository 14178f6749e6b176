import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrictor.data.normalise import normaliser
from constrictor.errors import ConstrictorError
from constrictor.study.text_processing import Normalise

TRICKY = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab @ht:/.ﬁＡ①\u00a0\u2003\n\r\t\u0301\u09af\u09bc\u09df\u09c7\u09be।“’&;\u200c\u00b4\u037e＠"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=30,
)
WISHES = st.builds(
    Normalise, unicode=st.sampled_from([None, "NFC", "NFKC"]), tweets=st.booleans(), whitespace=st.booleans()
)


@given(TRICKY, WISHES)
def test_what_is_normalised_stays_as_it_is(text, wishes):
    normalise = normaliser(wishes)
    once = normalise(text)
    assert normalise(once) == once
    if wishes.unicode and not wishes.tweets:
        assert unicodedata.is_normalized(wishes.unicode, once)
    if wishes.whitespace:
        assert once.split(" ") == (once.split() or [""])


@given(TRICKY)
def test_nothing_is_changed_by_default(text):
    assert normaliser(Normalise())(text) == text


@pytest.mark.parametrize(
    ("wishes", "text", "expected"),
    [
        ({"unicode": "NFC"}, "e\u0301 ﬁ \u09df", "é ﬁ \u09af\u09bc"),
        ({"unicode": "NFKC"}, "ﬁne ① Ａ", "fine 1 A"),
        ({"whitespace": True}, " a \t\n b\u00a0c\u3000", "a b c"),
        ({"tweets": True}, "@Ann mail me@home @ see https://t.co/x and http", "@user mail me@home @ see http and http"),
        ({"tweets": True, "unicode": "NFKC"}, "＠Ann", "@user"),
    ],
)
def test_each_wish_does_its_own(wishes, text, expected):
    assert normaliser(Normalise(**wishes))(text) == expected


def test_tweets_are_written_as_in_the_code_of_tweeteval():
    def theirs(text):  # github.com/cardiffnlp/tweeteval, README
        words = []
        for word in text.split(" "):
            word = "@user" if word.startswith("@") and len(word) > 1 else word
            words.append("http" if word.startswith("http") else word)
        return " ".join(words)

    for text in ("@a, @b @ c@d http://x https://y.z/ w", "see http, @@x", "", "@"):
        assert normaliser(Normalise(tweets=True))(text) == theirs(text)


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "normalizer", None)
    with pytest.raises(ConstrictorError, match=r"bengali: true.*pip install csebuetnlp-normalizer"):
        normaliser(Normalise(bengali=True))


class _Shrinking:
    """A stand-in whose text needs a second pass, as mojibake does."""

    @staticmethod
    def normalize(text: str) -> str:
        return text.replace("aa", "a")


def test_a_step_is_repeated_until_nothing_changes(monkeypatch):
    monkeypatch.setitem(sys.modules, "normalizer", _Shrinking)
    assert normaliser(Normalise(bengali=True))("aaaaaaaa b") == "a b"


@given(
    st.text(
        alphabet=st.one_of(
            st.sampled_from("কখয়\u09bc\u09df\u09c7\u09be\u09cbৌ।“”&;ampltÂ\x9c¶Õ\x82"), st.characters(codec="utf-8")
        )
    )
)
def test_bengali_is_idempotent_and_of_one_code_a_letter(text):
    pytest.importorskip("normalizer", reason="the extra 'bengali' is not installed")
    normalise = normaliser(Normalise(bengali=True, whitespace=True))
    once = normalise(text)
    assert normalise(once) == once
    assert normalise("\u09df\u2019") == normalise("\u09af\u09bc'")
