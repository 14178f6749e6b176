"""The benchmark tables that Snakemake writes of finished jobs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal


def measured(table: Path, column: Literal["max_rss", "s"]) -> float | None:
    """Peak memory in MB (`max_rss`) or seconds (`s`) of a job that ran; None without a table, or without a number in it.

    Snakemake writes "NA" for a very short job. Of a repeated job the largest value counts.
    """
    try:
        with open(table, newline="", encoding="utf-8") as stream:
            return max(float(row[column]) for row in csv.DictReader(stream, delimiter="\t"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
