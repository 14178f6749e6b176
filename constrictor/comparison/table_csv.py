"""The comparison as a table in CSV: all numbers of all models."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from constrictor.comparison.differences import Difference
from constrictor.comparison.intervals import Interval
from constrictor.comparison.row import Comparison, Row


def table_csv(rows: Sequence[Row], settings: Comparison, metric: str) -> str:
    """All models with all numbers; shares are fractions, sizes bytes, times milliseconds."""
    records = [_record(row, settings, metric) for row in rows]
    columns = list(dict.fromkeys(key for record in records for key in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _record(row: Row, settings: Comparison, metric: str) -> dict[str, Any]:
    record: dict[str, Any] = {
        "recipe": row.recipe or "",
        "lineage": row.lineage,
        **_columns(f"test_{metric}", row.test),
        "intervals_for": row.intervals_for,
        f"test_{metric}_sd_over_replicates": row.spread,
        f"test_{metric}_median_over_replicates": row.median,
        f"test_{metric}_at_tuned_thresholds": row.tuned,
        **({f"test_{metric}_mean_over_folds": row.metrics[metric]} if settings.folds else {}),
        f"validation_{metric}": row.validation,
        **{f"test_{name}": value for name, value in row.metrics.items() if name != metric},
        **{f"{part}_{name}": value for part, metrics in row.extra_test_sets.items() for name, value in metrics.items()},
        **_difference("difference_from_baseline", row.against_baseline),
        "verdict": row.verdict(settings.margin),
        **_difference("difference_from_control", row.against_control),
        **_difference("difference_from_parent", row.against_parent),
        "agreement_with_parent": row.agreement,
        "output_difference_from_parent": row.output_difference,
        "rejected": row.rejected,
        "file_bytes": row.bytes,
        "parameters": row.manifest.parameters,
        "sparsity": row.manifest.sparsity,
        "trainable_parameters": row.training.trainable_parameters if row.training else 0,
        "training_seconds": row.training_seconds,
        "peak_training_memory_bytes": row.training.peak_memory_bytes if row.training else None,
        "energy_joules": row.training.energy_joules if row.training else None,
        **row.efficiency,
    }
    if row.latency:
        record["cold_start_seconds"] = row.latency["cold_start_seconds"]
        record["peak_memory_bytes"] = row.latency["peak_memory_bytes"]
        for shape in row.latency["shapes"]:
            name = f"b{shape['batch']}_s{shape['length']}_t{shape['threads']}"
            record |= {f"{key}_{name}": shape[key] for key in ("p50_ms", "p95_ms", "examples_per_second")}
            for key, value in shape["speedup"].items():
                ends = dict(zip(("low", "high"), shape["speedup_interval"][key], strict=True))
                record |= {f"speedup_over_{key}_{name}": value}
                record |= {f"speedup_over_{key}_{name}_{end}": limit for end, limit in ends.items()}
                record |= {f"jitter_of_{key}_{name}": shape["baseline_jitter"][key]}
            record |= {f"disturbed_{name}": "; ".join(shape["disturbed"])}
    return record


def _columns(name: str, found: Interval | Difference | None) -> dict[str, Any]:
    """An estimate, the ends of its interval, and whether too few examples decide, a column each."""
    keys = (name, f"{name}_low", f"{name}_high", f"{name}_too_few")
    return dict(zip(keys, map(_cell, found[:4] if found else [None] * 4), strict=True))


def _difference(name: str, found: Difference | None) -> dict[str, Any]:
    """A difference with its tests, a column each."""
    tests = ("p", "p_holm", "detectable")
    return _columns(name, found) | {f"{name}_{test}": _cell(getattr(found, test, None)) for test in tests}


def _cell(value: float | None) -> float | None:
    """A number, or nothing where it is unknown."""
    return None if value is None or value != value else value
