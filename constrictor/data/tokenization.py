"""Turn inputs into token ids, with the tokenizer that lies in an artifact's folder.

The same code feeds training, evaluation and every runtime, so that all of them read a text alike; it needs neither
torch nor transformers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tokenizers

from constrictor.data.batching import Encoded, Text
from constrictor.errors import ConstrictorError
from constrictor.study.text_processing import Truncation

TOKENIZER = "tokenizer.json"
_TEXTS_AT_ONCE = 2048  # the library holds every token of what it is given as a string of its own


class Tokenized(NamedTuple):
    """Inputs in tokens, and their lengths ``(inputs,)`` in tokens before truncation."""

    encoded: Encoded
    lengths: np.ndarray


class Tokenizer:
    """A fast tokenizer, read from ``tokenizer.json``."""

    def __init__(
        self, folder: Path, max_length: int, text: str | None = None, *, truncation: Truncation = "head"
    ) -> None:
        """Read it.

        Args:
            folder: an artifact's folder.
            max_length: longest input in tokens, special tokens included; longer inputs are truncated.
            text: content to read instead of the folder's file.
            truncation: what stays of a longer text.
        """
        try:
            if text is None:
                text = (folder / TOKENIZER).read_text(encoding="utf-8")
            self._tokenizer = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain Exception
            raise ConstrictorError(f"{folder} has no usable tokenizer.json: {error}") from None
        pad_id = padding_token(self._tokenizer)
        if pad_id is None:
            raise ConstrictorError(f"the tokenizer in {folder} has no padding token. Choose a model that has one.")
        self.pad_id = pad_id
        self._tokenizer.no_padding()
        # The library keeps what it truncates, of a pair in every combination of the pieces: two texts of 1,200 words, cut to
        # nine tokens, took 650 MB.
        self._tokenizer.no_truncation()
        self.max_length = max_length
        self.truncation = truncation

    def encode(self, texts: Sequence[Text]) -> Encoded:
        """Tokens of each text or pair, special tokens included: one array an input (:data:`Encoded`)."""
        return self.tokenize(texts).encoded

    def tokenize(self, texts: Sequence[Text]) -> Tokenized:
        """Tokens of each text or pair, and how many there were before truncation."""
        encoded, lengths = [], []
        for text, encoding in zip(texts, self.encodings(texts), strict=True):
            encoded.append(self._tokens(encoding, single=isinstance(text, str)))
            lengths.append(len(encoding))
        return Tokenized(encoded, np.array(lengths, dtype=np.int64))

    def encodings(self, texts: Iterable[Text], *, offsets: bool = False) -> Iterator[tokenizers.Encoding]:
        """The library's encodings, not truncated.

        Args:
            texts: texts or pairs.
            offsets: whether they hold the place of each token in its text, which takes longer.
        """
        left = iter(texts)
        encode = self._tokenizer.encode_batch if offsets else self._tokenizer.encode_batch_fast
        while some := list(islice(left, _TEXTS_AT_ONCE)):
            yield from encode(some)

    def _tokens(self, encoding: tokenizers.Encoding, *, single: bool) -> np.ndarray:
        ids = np.array(encoding.ids, dtype=np.int32)
        tokens = ids if single else np.stack([ids, encoding.type_ids], axis=1)
        if len(ids) <= self.max_length:
            return tokens
        return tokens[places_kept(encoding.sequence_ids, self.max_length, self.truncation)]

    @property
    def size(self) -> int:
        """Number of tokens in the vocabulary."""
        return int(self._tokenizer.get_vocab_size())

    def agrees_with(self, other: Tokenizer) -> bool:
        """Whether both turn every text into the same tokens; padding and truncation do not count."""
        ours, theirs = (json.loads(each._tokenizer.to_str()) for each in (self, other))
        return all(ours[key] == theirs[key] for key in ours.keys() - {"padding", "truncation"})


def places_kept(owners: Sequence[int | None], longest: int, truncation: Truncation) -> np.ndarray:
    """Which tokens of an input that is too long stay: all special ones, and a part of its text or texts.

    Of a pair, the longer text is truncated first, until both are as long (`longest_first` in the library).

    Args:
        owners: the text that each token belongs to, 0 or 1; None for special tokens.
        longest: tokens to keep, fewer than there are.
        truncation: what stays of a text.

    Returns:
        ``(longest,)`` rising places.

    >>> places_kept([None, 0, 0, None, 1, 1, 1, 1, None], 7, "head").tolist()
    [0, 1, 2, 3, 4, 5, 8]
    """
    owner = np.array([-1 if part is None else part for part in owners])
    special, first, second = (np.flatnonzero(owner == part) for part in (-1, 0, 1))
    room = longest - len(special)
    short = min(len(first), len(second), room // 2)
    sizes = (room - short, short) if len(first) > len(second) else (short, room - short)
    head = {"head": longest, "tail": 0, "head_tail": longest // 4}[truncation]
    texts = [_ends(places, size, head) for places, size in zip((first, second), sizes, strict=True)]
    return np.sort(np.concatenate([special, *texts]))


def _ends(places: np.ndarray, size: int, head: int) -> np.ndarray:
    """So many places: ``head`` of them, at most, from the front, and the rest from the back.

    Of 512 tokens, two of them special, `head_tail` keeps the first 128 and the last 382 of the text (Sun et al. 2019,
    section 5.3.1).
    """
    head = min(head, size)
    return np.concatenate([places[:head], places[len(places) - (size - head) :]])


def padding_token(tokenizer: tokenizers.Tokenizer) -> int | None:
    """Id of the token that inputs are padded with; None if a tokenizer has none."""
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    found = map(tokenizer.token_to_id, ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>", "</s>"))
    return next((token for token in found if token is not None), None)
