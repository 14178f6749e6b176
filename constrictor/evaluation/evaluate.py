"""Quality of a saved artifact, loaded anew, on validation, test and what else a task is tested on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from constrictor.data.examples import examples_in_chunks
from constrictor.data.lengths import length_summary
from constrictor.data.outputs import write_predictions
from constrictor.evaluation.predict import answers_of
from constrictor.files.writing import write_json
from constrictor.progress import announce
from constrictor.runtimes.load import load
from constrictor.study.splits import HELD_OUT
from constrictor.tasks.manifest import read_task
from constrictor.tasks.registry import problem_of

BATCH_SIZE = 32


def evaluate(
    artifact: Path,
    task_manifest: Path,
    splits: Mapping[str, Path],
    metrics_file: Path,
    predictions_file: Path,
    threads: int = 0,
    extra_test_sets: Mapping[str, Path] | None = None,
) -> None:
    """Write ``metrics.json`` and ``predictions.parquet`` of an artifact.

    Args:
        artifact: the artifact's folder.
        task_manifest: the prepared task's manifest.
        splits: Parquet files of its validation and test examples, by split.
        metrics_file: where the metrics go.
        predictions_file: where the predictions go: a row an example, with split, id, label and logits.
        threads: threads to compute with; 0 takes all cores.
        extra_test_sets: Parquet files of the task's further test sets, by name.

    Raises:
        ConstrictorError: if the artifact is damaged, or the disk is full.
    """
    runtime, labelled = load(artifact, threads=threads), read_task(task_manifest)
    problem = problem_of(labelled.kind, labelled.labels)
    # Dynamic int8 takes its ranges from the batch, so the batch size belongs to the result.
    found: dict[str, Any] = {"batch_size": BATCH_SIZE}
    further = extra_test_sets or {}
    measured, predictions = {}, {}
    for name, file in {**splits, **further}.items():
        ids, labels, logits = predictions[name] = answers_of(runtime, file, BATCH_SIZE)
        texts = (text for chunk in examples_in_chunks(file) for text in chunk.texts)
        measured[name] = {
            **problem.evaluate(logits, labels),
            "examples": len(ids),
            "lengths": length_summary(runtime.tokenizer, texts),
            **problem.details(labels, problem.answers(logits)),
        }
    found |= {split: measured[split] for split in HELD_OUT}
    if further:
        found["extra_tests"] = {name: measured[name] for name in further}
    held = predictions["validation"]
    thresholds = problem.tune(held.logits, held.labels, labelled.metric)
    if thresholds is not None:
        found["tuned"] = {"thresholds": thresholds.tolist()} | {
            split: problem.scores(outputs.labels, problem.answers_at(outputs.logits, thresholds))
            for split, outputs in predictions.items()
            if split in HELD_OUT
        }
    write_predictions(predictions_file, predictions)
    write_json(metrics_file, found)
    scores = ", ".join(f"{name} {measured[name][labelled.metric]:.4f}" for name in predictions)
    announce(f"{labelled.metric}: {scores}")
