"""The stage `compare`: everything measured of a task's models, as a table and two pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from constrictor.comparison.collect import collect
from constrictor.comparison.plots import plot_quality_latency, plot_stages
from constrictor.comparison.records import write_records
from constrictor.comparison.row import Comparison
from constrictor.comparison.table_csv import table_csv
from constrictor.comparison.table_markdown import table_markdown
from constrictor.files.writing import write_text
from constrictor.tasks.manifest import read_task


def compare(settings: Comparison, task_manifest: Path, results: Path, target: Path, subsets: Sequence[Path]) -> None:
    """Write ``table.csv``, ``records/<recipe>.json``, ``quality_latency.svg``, ``stages.svg`` and, last, ``table.md``.

    Args:
        settings: recipes, baseline, control, margin.
        task_manifest: the prepared task's manifest.
        results: ``results/<study>/<task>``.
        target: folder to write to, named after the task.
        subsets: files of the subsets that models were trained on.
    """
    task = read_task(task_manifest)
    rows = collect(settings, task, results)
    write_text(target / "table.csv", table_csv(rows, settings, task.metric))
    replicates = [results / name for name in settings.replicates]
    write_records(rows, task.metric, replicates, subsets, target / "records")
    plot_quality_latency(rows, task.metric, settings.margin, target / "quality_latency.svg")
    plot_stages(rows, task.metric, target / "stages.svg")
    write_text(target / "table.md", table_markdown(rows, settings, task, target.name))
