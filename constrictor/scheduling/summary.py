"""The plan as text: why jobs run, which run and what they will cost, which are reused and what they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from constrictor.progress import format_seconds
from constrictor.scheduling.causes import count_causes
from constrictor.scheduling.estimate import Estimate
from constrictor.scheduling.jobs import Job

MOST_CAUSES = 12

Planned = tuple[Job, str, Estimate]
"""A job to run, Snakemake's reason, and its estimate."""
Done = tuple[Job, float | None, Estimate]
"""A job that is reused, the seconds that were estimated before it ran, and what it took."""


def plan_text(study: str, to_run: Sequence[Planned], done: Sequence[Done], chain: float) -> str:
    """The whole plan.

    Args:
        study: name of the study.
        to_run: the jobs to run.
        done: the jobs that ran before and are reused.
        chain: seconds of the critical path, the longest chain of jobs that wait for one another.
    """
    parts = [f"Study {study}: {_count(len(to_run), 'job')} to run, {len(done)} reused"]
    if to_run:
        parts += [_why(to_run), _costs(to_run, chain)]
    if done:
        parts.append(_took(done))
    return "\n\n".join(parts)


def _why(to_run: Sequence[Planned]) -> str:
    causes = count_causes((job, reason) for job, reason, _ in to_run)
    lines = [f"{count:>6}  {cause}" for cause, count in causes[:MOST_CAUSES]]
    if rest := causes[MOST_CAUSES:]:
        lines.append(f"{sum(count for _, count in rest):>6}  for {len(rest)} other causes")
    return "\n".join(["Why", *lines])


def _costs(to_run: Sequence[Planned], chain: float) -> str:
    rows = [("rule", "jobs", "time", "memory", "estimated from")]
    for rule in dict.fromkeys(job.rule for job, _, _ in to_run):
        estimates = [estimate for job, _, estimate in to_run if job.rule == rule]
        bases = Counter(estimate.basis for estimate in estimates)
        basis_text = ", ".join(
            f"{basis} ({count})" if len(bases) > 1 else basis for basis, count in bases.most_common()
        )
        rows.append((rule, str(len(estimates)), *_cost(estimates), basis_text))
    every = [estimate for _, _, estimate in to_run]
    rows.append(("all", str(len(every)), *_cost(every), f"in sequence; critical path {format_seconds(chain)}"))
    return "\n".join(["To run", *_aligned(rows, words=1)])


def _took(done: Sequence[Done]) -> str:
    rows = [("rule", "jobs", "estimated", "took", "memory")]
    for rule in [*dict.fromkeys(job.rule for job, _, _ in done), "all"]:
        found = [(estimated, cost) for job, estimated, cost in done if rule in (job.rule, "all")]
        rows.append((rule, str(len(found)), _estimated(found), *_cost([cost for _, cost in found])))
    return "\n".join(["Done and reused", *_aligned(rows)])


def _estimated(found: Sequence[tuple[float | None, Estimate]]) -> str:
    """The estimated seconds. Where only some of the jobs were estimated, with what those took."""
    known = [(seconds, cost.seconds) for seconds, cost in found if seconds is not None]
    if not known:
        return "–"
    estimated, took = (format_seconds(sum(values)) for values in zip(*known, strict=True))
    return estimated if len(known) == len(found) else f"{estimated} for {len(known)} that took {took}"


def _cost(estimates: Sequence[Estimate]) -> tuple[str, str]:
    """The sum of the times, and the largest memory."""
    return (
        format_seconds(sum(estimate.seconds for estimate in estimates)),
        f"{max(estimate.memory_mb for estimate in estimates) / 1000:.1f} GB",
    )


def _aligned(rows: Sequence[Sequence[str]], words: int = 0) -> list[str]:
    """Rows as text: the first column and as many ``words`` at the end to the left, numbers to the right.

    >>> _aligned([("rule", "jobs", "note"), ("prune", "12", "soon")], words=1)
    ['  rule   jobs  note', '  prune    12  soon']
    """
    numbers = range(1, len(rows[0]) - words)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [
        [
            text.rjust(width) if column in numbers else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    return [f"  {'  '.join(row)}".rstrip() for row in cells]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
