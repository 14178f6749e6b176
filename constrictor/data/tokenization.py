"""Turn texts into token ids, with the tokenizer that lies in an artifact's folder, and pad batches.

The same code feeds training, evaluation and every runtime, so that all of them read a text alike; it needs neither
torch nor transformers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tokenizers

from constrictor.data.examples import Text
from constrictor.errors import ConstrictorError
from constrictor.study.reading import Truncation

TOKENIZER = "tokenizer.json"

TYPES = "token_type_ids"

Encoded = list[np.ndarray]
"""Texts in tokens: the ids of a single text ``(tokens,)``; of a pair ``(tokens, 2)``, where each id has beside it the token's
type, which tells the two texts apart. All int64."""

Batch = dict[str, np.ndarray]
"""``input_ids``, ``attention_mask`` and, if there are pairs in it, ``token_type_ids``, each ``(batch, longest)`` int64."""


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
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [
            self._tokens(encoding, single=isinstance(text, str))
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def _tokens(self, encoding: tokenizers.Encoding, *, single: bool) -> np.ndarray:
        if len(encoding) > self.max_length:
            return keep_head_and_tail(encoding, self.max_length)
        ids = np.array(encoding.ids, dtype=np.int64)
        return ids if single else np.stack([ids, encoding.type_ids], axis=1)

    def lengths(self, texts: Sequence[Text]) -> np.ndarray:
        """Tokens of each text before it is cut, special tokens included: ``(texts,)`` int64."""
        self._tokenizer.no_truncation()
        try:
            encodings = self._tokenizer.encode_batch_fast(list(texts))
        finally:
            self._truncate()
        return np.array([len(encoding) for encoding in encodings], dtype=np.int64)

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
    raise ConstrictorError(f"the tokenizer in {folder} has no padding token.")


def pad(sequences: Sequence[np.ndarray], pad_id: int) -> Batch:
    """Put sequences of different lengths into one batch.

    >>> pad([np.array([5, 6]), np.array([7])], pad_id=0)["input_ids"].tolist()
    [[5, 6], [7, 0]]
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    mask = np.arange(lengths.max()) < lengths[:, None]
    batch = {"input_ids": _spread(mask, map(ids_of, sequences), pad_id), "attention_mask": mask.astype(np.int64)}
    if any(sequence.ndim == 2 for sequence in sequences):
        batch[TYPES] = _spread(mask, map(_types_of, sequences), 0)
    return batch


def ids_of(sequence: np.ndarray) -> np.ndarray:
    """The token ids ``(tokens,)`` of a text or pair in tokens."""
    return sequence if sequence.ndim == 1 else sequence[:, 0]


def _types_of(sequence: np.ndarray) -> np.ndarray:
    return np.zeros_like(sequence) if sequence.ndim == 1 else sequence[:, 1]


def _spread(mask: np.ndarray, parts: Iterable[np.ndarray], fill: int) -> np.ndarray:
    """Numbers, one part a row, at the places that a mask names."""
    values = np.full(mask.shape, fill, dtype=np.int64)
    values[mask] = np.concatenate(list(parts))
    return values


def inputs_by_name(batch: Batch, names: Iterable[str]) -> Batch:
    """What a model that names its inputs reads of a batch; all tokens of single texts are of the first type."""
    return {
        name: np.zeros_like(batch["input_ids"]) if name == TYPES and TYPES not in batch else batch[name]
        for name in names
    }


def predict_logits(
    predict: Callable[[Batch], np.ndarray], encoded: Encoded, pad_id: int, *, batch_size: int = 64
) -> np.ndarray:
    """Logits of every text, in the order given.

    Args:
        predict: maps a batch to ``(batch, classes)`` logits.
        encoded: the texts in tokens.
        pad_id: id of the padding token.
        batch_size: texts in one call.

    Returns:
        ``(texts, classes)`` float32.
    """
    parts, rows = [], []
    for batch in batches_by_length(encoded, batch_size):
        rows.append(batch)
        parts.append(predict(pad([encoded[row] for row in batch], pad_id)))
    logits = np.concatenate(parts).astype(np.float32)
    return logits[np.argsort(np.concatenate(rows))]


def batches_by_length(encoded: Encoded, batch_size: int) -> Iterator[np.ndarray]:
    """Row numbers of batches of similar length, longest first, so that little is padded and memory peaks early."""
    order = np.argsort([-len(sequence) for sequence in encoded], kind="stable")
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))
