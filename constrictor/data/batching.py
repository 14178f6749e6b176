"""Texts in tokens, and the padded batches that every model is trained and asked with; needs neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

TYPES = "token_type_ids"

UNLABELLED = -100
"""The label of an example that has none: the value that torch's cross-entropy ignores."""

Text = str | tuple[str, str]
"""A text, or two that belong together."""

Encoded = list[np.ndarray]
"""Texts in tokens: the ids of a single text ``(tokens,)``; of a pair ``(tokens, 2)``, where each id has beside it the token's
type, which distinguishes the two inputs. All int32: many lie in memory at once."""

Batch = dict[str, np.ndarray]
"""``input_ids``, ``attention_mask`` and, if there are pairs in it, ``token_type_ids``, each ``(batch, longest)`` int64."""


Arrays = dict[str, np.ndarray]
"""A model's outputs for a batch, by their names, each ``(batch, ...)``."""

RawOutputs = dict[str, np.ndarray | list[np.ndarray]]
"""A model's outputs for many features, by their names: ``(features, ...)``, or per token a list of ``(tokens,)``."""


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


def full_batch(encoded: Encoded, batch: int, length: int) -> Batch:
    """A batch of real tokens in which every position is used.

    Every input begins with the first token of an encoded text and ends with the last one, special tokens most often; the
    tokens between those of all texts are joined, repeated and truncated to the length.

    Args:
        encoded: at least one text in tokens.
        batch: number of inputs.
        length: length of each in tokens, at least 2.

    >>> full_batch([np.array([1, 5, 6, 2]), np.array([1, 7, 2])], batch=2, length=4)["input_ids"].tolist()
    [[1, 5, 6, 2], [1, 7, 5, 2]]
    """
    first, last = encoded[0][0], encoded[0][-1]
    body = np.concatenate([tokens[1:-1] for tokens in encoded])
    rows = np.resize(body, (batch, length - 2, *body.shape[1:]))
    return pad([np.concatenate([[first], row, [last]]) for row in rows], pad_id=0)  # nothing is padded


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


def predict_outputs(
    predict: Callable[[Batch], Arrays], encoded: Encoded, pad_id: int, *, per_token: bool = False, batch_size: int = 64
) -> RawOutputs:
    """A model's outputs for every feature, in the order given.

    Args:
        predict: maps a batch to arrays ``(batch, ...)`` by name.
        encoded: the features in tokens.
        pad_id: id of the padding token.
        per_token: whether the arrays are ``(batch, length)``; what stands at padding is then removed.
        batch_size: features in one call.

    Returns:
        By name ``(features, ...)`` float32; per token a list of ``(tokens,)`` arrays.
    """
    parts: dict[str, list[np.ndarray]] = {}
    rows = []
    for batch in batches_by_length(encoded, batch_size):
        rows.append(batch)
        for name, values in predict(pad([encoded[row] for row in batch], pad_id)).items():
            parts.setdefault(name, []).append(values)
    if per_token:
        return {name: _without_padding(found, rows, encoded) for name, found in parts.items()}
    order = np.argsort(np.concatenate(rows))
    return {name: np.concatenate(found).astype(np.float32)[order] for name, found in parts.items()}


def _without_padding(found: list[np.ndarray], rows: list[np.ndarray], encoded: Encoded) -> list[np.ndarray]:
    """``(tokens,)`` values of each feature, in the order of the features."""
    values = {
        int(row): line[: len(encoded[row])].astype(np.float32)
        for batch, numbers in zip(found, rows, strict=True)
        for row, line in zip(numbers, batch, strict=True)
    }
    return [values[row] for row in range(len(encoded))]


def batches_by_length(encoded: Encoded, batch_size: int) -> Iterator[np.ndarray]:
    """Row numbers of batches of similar length, longest first, so that little is padded and memory peaks early."""
    order = np.argsort([-len(sequence) for sequence in encoded], kind="stable")
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))
