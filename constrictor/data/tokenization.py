"""Turn texts into token ids, with the tokenizer that lies in an artifact's folder.

The same code feeds training, evaluation and every runtime, so that all of them read a text alike; it needs neither
torch nor transformers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tokenizers

from constrictor.data.batching import Encoded
from constrictor.data.examples import Text
from constrictor.errors import ConstrictorError
from constrictor.study.reading import Truncation

TOKENIZER = "tokenizer.json"
_TEXTS_AT_ONCE = 2048  # the library holds every token of what it is given as a string of its own


class Tokenizer:
    """A fast tokenizer, read from ``tokenizer.json``."""

    def __init__(
        self, folder: Path, max_length: int, text: str | None = None, *, truncation: Truncation = "head"
    ) -> None:
        """Read it.

        Args:
            folder: an artifact's folder.
            max_length: longest input in tokens, special tokens included; longer texts are cut.
            text: content to read instead of the folder's file.
            truncation: what stays of a longer text.
        """
        try:
            if text is None:
                text = (folder / TOKENIZER).read_text(encoding="utf-8")
            self._tokenizer = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain Exception
            raise ConstrictorError(f"{folder} has no usable tokenizer.json: {error}") from None
        self.pad_id = _pad_id(self._tokenizer, folder)
        self._tokenizer.no_padding()
        self.max_length = max_length
        self.truncation = truncation
        self._truncate()

    def _truncate(self) -> None:
        if self.truncation == "head_tail":  # the library knows the two ends only
            self._tokenizer.no_truncation()
        else:
            self._tokenizer.enable_truncation(
                self.max_length, direction="left" if self.truncation == "tail" else "right"
            )

    def encode(self, texts: Sequence[Text]) -> Encoded:
        """Tokens of each text or pair, special tokens included: one array a text (:data:`Encoded`)."""
        return [
            self._tokens(encoding, single=isinstance(text, str))
            for text, encoding in zip(texts, self._encodings(texts), strict=True)
        ]

    def _encodings(self, texts: Sequence[Text]) -> Iterator[tokenizers.Encoding]:
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            yield from self._tokenizer.encode_batch_fast(list(texts[start : start + _TEXTS_AT_ONCE]))

    def _tokens(self, encoding: tokenizers.Encoding, *, single: bool) -> np.ndarray:
        if len(encoding) > self.max_length:
            return keep_head_and_tail(encoding, self.max_length)
        ids = np.array(encoding.ids, dtype=np.int64)
        return ids if single else np.stack([ids, encoding.type_ids], axis=1)

    def lengths(self, texts: Sequence[Text]) -> np.ndarray:
        """Tokens of each text before it is cut, special tokens included: ``(texts,)`` int64."""
        self._tokenizer.no_truncation()
        try:
            return np.array([len(encoding) for encoding in self._encodings(texts)], dtype=np.int64)
        finally:
            self._truncate()

    def agrees_with(self, other: Tokenizer) -> bool:
        """Whether both turn every text into the same tokens; how they pad and where they cut does not count."""
        ours, theirs = (json.loads(each._tokenizer.to_str()) for each in (self, other))
        return all(ours[key] == theirs[key] for key in ours.keys() - {"padding", "truncation"})


def keep_head_and_tail(encoding: tokenizers.Encoding, longest: int) -> np.ndarray:
    """The first quarter of an input and its end, with the special tokens around them (Sun et al. 2019, section 5.3.1).

    Of 512 tokens, two of them special, these are the first 128 and the last 382 of the text.

    Args:
        encoding: the whole text in more than ``longest`` tokens.
        longest: tokens to keep, special tokens included.

    Returns:
        ``(longest,)`` int64.
    """
    ids = np.array(encoding.ids, dtype=np.int64)
    text = [position for position, part in enumerate(encoding.sequence_ids) if part is not None]
    start, stop = text[0], text[-1] + 1
    head = longest // 4
    tail = longest - start - (len(ids) - stop) - head
    return np.concatenate([ids[: start + head], ids[stop - tail :]])


def _pad_id(tokenizer: tokenizers.Tokenizer, folder: Path) -> int:
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    for token in ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>", "</s>"):
        if (found := tokenizer.token_to_id(token)) is not None:
            return found
    raise ConstrictorError(f"the tokenizer in {folder} has no padding token. Choose a model that has one.")
