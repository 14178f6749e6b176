"""Quality of a saved artifact, loaded anew, on validation and test."""

from __future__ import annotations

import json
from pathlib import Path

from constrictor.artifacts.writing import write_text
from constrictor.data.examples import read_examples
from constrictor.data.lengths import length_summary
from constrictor.data.outputs import Outputs, write_predictions
from constrictor.data.task import read_task
from constrictor.metrics.classification import classification_metrics, per_class
from constrictor.progress import announce
from constrictor.runtimes.load import load

BATCH_SIZE = 32


def evaluate(artifact: Path, task: Path, metrics_file: Path, predictions_file: Path, threads: int = 0) -> None:
    """Write ``metrics.json`` and ``predictions.parquet`` of an artifact.

    Args:
        artifact: the artifact's folder.
        task: folder of the prepared task.
        metrics_file: where the metrics go.
        predictions_file: where the predictions go: a row an example, with split, id, label and logits.
        threads: threads to compute with; 0 takes all cores.

    Raises:
        ConstrictorError: if the artifact is damaged, or the disk is full.
    """
    runtime, labelled = load(artifact, threads=threads), read_task(task / "manifest.json")
    # Dynamic int8 takes its ranges from the batch, so the batch size belongs to the result.
    found: dict[str, object] = {"batch_size": BATCH_SIZE}
    predictions = {}
    for split in ("validation", "test"):
        examples = read_examples(task / f"{split}.parquet")
        logits = runtime.logits_of(examples.texts, BATCH_SIZE)
        predictions[split] = Outputs(examples.ids, examples.labels, logits)
        found[split] = {
            **classification_metrics(logits, examples.labels),
            "examples": len(examples),
            "lengths": length_summary(runtime.tokenizer, examples.texts),
            "classes": per_class(logits, examples.labels, labelled.labels),
        }
    write_predictions(predictions_file, predictions)
    write_text(metrics_file, json.dumps(found, indent=2) + "\n")
    scores = ", ".join(f"{split} {found[split][labelled.metric]:.4f}" for split in predictions)  # type: ignore[index]
    announce(f"{labelled.metric}: {scores}")
