"""Split documents into sentences, and find texts that share a run of words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from constrictor.data.batching import Text

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# A full stop, question or exclamation mark (also the Bengali and Hindi danda), closing quotes, then white space.
_SENTENCE_END = re.compile(r"(?<=[.!?\u0964])[\"')\]]*\s+")


def sentences_of(document: str, fewest: int, most: int) -> Iterator[str]:
    """The sentences of a document that have an allowed number of words.

    ASSUME: a sentence ends at a mark that is followed by white space; abbreviations may split one in two.

    >>> list(sentences_of("A fine film.<br />See it now! Yes.", 2, 5))
    ['A fine film.', 'See it now!']
    """
    for line in _BREAK.sub("\n", document).splitlines():
        for sentence in _SENTENCE_END.split(line):
            words = sentence.split()
            if fewest <= len(words) <= most:
                yield " ".join(words)


def word_ngrams(text: str, length: int) -> Iterator[tuple[str, ...]]:
    """All runs of ``length`` words, without case and punctuation.

    >>> list(word_ngrams("It's a GOOD film!", 3))
    [('it', 's', 'a'), ('s', 'a', 'good'), ('a', 'good', 'film')]
    """
    words = re.findall(r"\w+", text.casefold())
    return (tuple(words[start : start + length]) for start in range(len(words) - length + 1))


class Overlap:
    """Detects whether a text shares a run of words with any of the texts that it was made from."""

    def __init__(self, texts: Iterable[Text], length: int) -> None:
        self.length = length
        # ASSUME: one word list a run is small enough; held-out texts are thousands, not millions.
        self.seen = {ngram for text in texts for ngram in word_ngrams(_joined(text), length)} if length else set()

    def __contains__(self, text: Text) -> bool:
        return bool(self.seen) and any(ngram in self.seen for ngram in word_ngrams(_joined(text), self.length))


def _joined(text: Text) -> str:
    return text if isinstance(text, str) else " ".join(text)
