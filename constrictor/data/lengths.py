"""How long a task's texts are for a model's tokenizer, and how many of them are cut."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from constrictor.data.batching import Text
from constrictor.data.tokenization import Tokenizer


def length_summary(tokenizer: Tokenizer, texts: Iterable[Text]) -> dict[str, float | str]:
    """Lengths in tokens before cutting, special tokens included.

    Returns:
        ``median``, ``p95``, ``p99`` and ``max`` of the lengths; ``cut``, the share of texts longer than ``max_length``;
        and ``max_length`` and ``truncation`` themselves.
    """
    lengths = tokenizer.lengths(texts)
    median, p95, p99 = np.percentile(lengths, [50, 95, 99])
    return {
        "median": float(median),
        "p95": float(p95),
        "p99": float(p99),
        "max": int(lengths.max()),
        "cut": float((lengths > tokenizer.max_length).mean()),
        "max_length": tokenizer.max_length,
        "truncation": tokenizer.truncation,
    }


_CUT = {"head": "at the end", "tail": "at the beginning", "head_tail": "in the middle"}


def spell_cut(summary: dict[str, float | str]) -> str:
    """What is cut, in a sentence.

    >>> spell_cut({"cut": 0.123, "max_length": 128, "truncation": "head", "median": 40.0, "p95": 160.0, "max": 700})
    '12 % of the texts are longer than 128 tokens and are cut at the end (median 40, p95 160, longest 700)'
    >>> spell_cut({"cut": 0.0, "max_length": 128, "truncation": "tail", "median": 20.0, "p95": 40.0, "max": 64})
    'no text is longer than 128 tokens (median 20, p95 40, longest 64)'
    """
    longest = f"(median {summary['median']:.0f}, p95 {summary['p95']:.0f}, longest {summary['max']})"
    share, limit = float(summary["cut"]) * 100, f"longer than {summary['max_length']} tokens"
    if not share:
        return f"no text is {limit} {longest}"
    spelled = f"{share:.0f}" if share >= 1 else f"{share:.1g}"
    return f"{spelled} % of the texts are {limit} and are cut {_CUT[str(summary['truncation'])]} {longest}"
