"""Quality of a saved artifact, loaded anew, on validation, test and what else a task is tested on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from constrictor.data.lengths import length_summary
from constrictor.data.outputs import write_predictions
from constrictor.evaluation.predict import predict_file
from constrictor.files.writing import write_json
from constrictor.progress import announce
from constrictor.runtimes.load import load
from constrictor.tasks.manifest import read_task
from constrictor.tasks.registry import kind_of

BATCH_SIZE = 32


def evaluate(
    artifact: Path,
    task: Path,
    splits: Mapping[str, Path],
    metrics_file: Path,
    predictions_file: Path,
    threads: int = 0,
    extra_test_sets: Mapping[str, Path] | None = None,
) -> None:
    """Write ``metrics.json`` and ``predictions.parquet`` of an artifact.

    Args:
        artifact: the artifact's folder.
        task: the prepared task's manifest.
        splits: Parquet files of the splits that are held out, by name.
        metrics_file: where the metrics go.
        predictions_file: where the predictions go: a row an example, with split, id, label and outputs.
        threads: threads to compute with; 0 takes all cores.
        extra_test_sets: Parquet files of the task's extra test sets, by name.

    Raises:
        ConstrictorError: if the artifact is damaged, or the disk is full.
    """
    runtime, prepared = load(artifact, threads=threads), read_task(task)
    kind = kind_of(prepared.task)
    # Dynamic int8 takes its ranges from the batch, so the batch size belongs to the result.
    found: dict[str, Any] = {"batch_size": BATCH_SIZE}
    further = extra_test_sets or {}
    measured, predicted = {}, {}
    for name, file in {**splits, **further}.items():
        predictions, losses, lengths = predict_file(runtime, file, BATCH_SIZE)
        predicted[name] = predictions
        values = kind.predict(predictions.outputs)
        measured[name] = {
            **kind.scores(predictions.labels, values),
            "loss": float(losses.mean()),
            "examples": len(predictions.ids),
            "lengths": length_summary(lengths, runtime.tokenizer.max_length, runtime.kind.longer_inputs),
            **kind.details(predictions.labels, values),
        }
    found |= {split: measured[split] for split in splits}
    if further:
        found["extra_test_sets"] = {name: measured[name] for name in further}
    held_out = predicted["validation"]
    thresholds = kind.tune(held_out.outputs, held_out.labels, prepared.metric)
    if thresholds is not None:
        found["tuned"] = {"thresholds": thresholds.tolist()} | {
            split: kind.scores(predicted[split].labels, kind.predict_at(predicted[split].outputs, thresholds))
            for split in splits
        }
    write_predictions(predictions_file, predicted)
    write_json(metrics_file, found)
    scores = ", ".join(f"{name} {measured[name][prepared.metric]:.4f}" for name in predicted)
    announce(f"{prepared.metric}: {scores}")
