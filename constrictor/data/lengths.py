"""Lengths of a task's inputs in tokens, and what happens to those that a model cannot read whole."""

from __future__ import annotations

import numpy as np


def length_summary(lengths: np.ndarray, max_length: int, longer: str) -> dict[str, float | str]:
    """Lengths in tokens before truncation, special tokens included.

    Args:
        lengths: ``(inputs,)``.
        max_length: longest input of the model in tokens.
        longer: what happens to longer inputs, as a phrase: `truncated at the end`.

    Returns:
        ``median``, ``p95``, ``p99`` and ``max`` of the lengths; ``longer``, the share of inputs above ``max_length``;
        and ``max_length`` and ``longer_are`` themselves.
    """
    median, p95, p99 = np.percentile(lengths, [50, 95, 99])
    return {
        "median": float(median),
        "p95": float(p95),
        "p99": float(p99),
        "max": int(lengths.max()),
        "longer": float((lengths > max_length).mean()),
        "max_length": max_length,
        "longer_are": longer,
    }


def format_lengths(summary: dict[str, float | str]) -> str:
    """The summary as a sentence.

    >>> found = {"longer": 0.123, "max_length": 128, "longer_are": "truncated at the end"}
    >>> format_lengths({**found, "median": 40.0, "p95": 160.0, "max": 700})
    '12 % of the inputs are longer than 128 tokens and are truncated at the end (median 40, p95 160, longest 700)'
    >>> format_lengths({**found, "longer": 0.0, "median": 20.0, "p95": 40.0, "max": 64})
    'no input is longer than 128 tokens (median 20, p95 40, longest 64)'
    """
    longest = f"(median {summary['median']:.0f}, p95 {summary['p95']:.0f}, longest {summary['max']})"
    share, limit = float(summary["longer"]) * 100, f"longer than {summary['max_length']} tokens"
    if not share:
        return f"no input is {limit} {longest}"
    percent = f"{share:.0f}" if share >= 1 else f"{share:.1g}"
    return f"{percent} % of the inputs are {limit} and are {summary['longer_are']} {longest}"
