"""The comparison of a cross-validation: every example answered once a seed, or a test split that all folds share."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from heads import kind_with, task_record
from sklearn.metrics import f1_score

from constrictor.comparison.compare import compare
from constrictor.comparison.differences import paired_difference
from constrictor.comparison.intervals import Replicated, scores
from constrictor.comparison.row import Comparison
from constrictor.data.outputs import Predictions, write_predictions
from constrictor.models.manifest import FileEntry, Manifest, StepRecord
from constrictor.tasks.manifest import TaskManifest

SIZES = (30, 31, 29)
CHANCES = {"teacher": 0.9, "small": 0.7}


def _fold(lineage: str, seed: int, fold: int, shared: bool) -> Predictions:
    """A fold's answers on its test examples; on those of fold 0 where all folds share one test split."""
    part = 0 if shared else fold
    labels = np.random.default_rng(part).integers(0, 3, SIZES[part])
    generator = np.random.default_rng([seed, fold, len(lineage)])
    right = generator.random(SIZES[part]) < CHANCES[lineage]
    logits = np.eye(3, dtype=np.float32)[np.where(right, labels, (labels + 1) % 3)]
    return Predictions([f"part{part}-{number}" for number in range(SIZES[part])], labels, {"logits": logits})


def _report(folder: Path, seeds: list[int], shared: bool) -> tuple[dict[str, dict[str, str]], str]:
    """The CSV table by recipe, and the Markdown page, of a study with three folds."""
    for seed in seeds:
        for fold in range(3):
            for lineage in CHANCES:
                _write_node(folder / "results" / f"seed{seed}-fold{fold}" / lineage, _fold(lineage, seed, fold, shared))
    task = TaskManifest(
        task=task_record(["a", "b", "c"]), metric="macro_f1", rows={"test": SIZES[0]},
        classes={}, dropped={}, fingerprint={},
    )  # fmt: skip
    (folder / "manifest.json").write_text(task.model_dump_json(), encoding="utf-8")
    settings = Comparison(
        recipes={"base": "teacher", "small": "small"}, baseline="base", margin=0.05, folds=3,
        replicates=[f"seed{seed}-fold{fold}" for seed in seeds for fold in range(3)],
    )  # fmt: skip
    compare(settings, folder / "manifest.json", folder / "results", folder / "report", [])
    with open(folder / "report" / "table.csv", encoding="utf-8") as stream:
        table = {row["recipe"]: row for row in csv.DictReader(stream)}
    return table, (folder / "report" / "table.md").read_text(encoding="utf-8")


def _write_node(node: Path, test: Predictions) -> None:
    (node / "model").mkdir(parents=True)
    write_predictions(node / "predictions.parquet", {"validation": test, "test": test})
    scores = dict.fromkeys(("accuracy", "weighted_f1", "mcc", "loss"), 0.5) | {"macro_f1": _f1([test])}
    (node / "metrics.json").write_text(json.dumps({"validation": scores, "test": scores}), encoding="utf-8")
    manifest = Manifest(
        format="torch", precision="fp32", parameters=9, nonzero_parameters=9,
        lineage=[StepRecord(step=node.name, settings={"stage": "finetune"})],
        files={"model.safetensors": FileEntry(bytes=9, sha256="0")},
    )  # fmt: skip
    (node / "model" / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")


def _f1(outputs: list[Predictions]) -> float:
    labels = np.concatenate([found.labels for found in outputs])
    return f1_score(labels, np.concatenate([found.outputs["logits"].argmax(1) for found in outputs]), average="macro")


@pytest.mark.parametrize("seeds", [[1], [1, 2]])
def test_the_metric_is_that_of_all_out_of_fold_predictions(tmp_path, seeds):
    table, text = _report(tmp_path, seeds, shared=False)
    text = " ".join(text.split())
    folds = {name: [[_fold(name, seed, fold, False) for fold in range(3)] for seed in seeds] for name in CHANCES}
    pooled = {name: np.mean([_f1(parts) for parts in found]) for name, found in folds.items()}
    scores = [_f1([part]) for parts in folds["small"] for part in parts]
    small = table["small"]
    assert float(small["test_macro_f1"]) == pytest.approx(pooled["small"])
    assert float(small["test_macro_f1_mean_over_folds"]) == pytest.approx(np.mean(scores))
    assert float(small["test_macro_f1_sd_over_replicates"]) == pytest.approx(np.std(scores, ddof=1))
    assert abs(np.mean(scores) - pooled["small"]) > 1e-4  # the two are not the same number
    assert float(small["difference_from_baseline"]) == pytest.approx(pooled["small"] - pooled["teacher"])
    assert (
        f"90 test examples, 3 folds{' of 2 seeds' if len(seeds) > 1 else ''}, each predicted by the model that" in text
    )
    assert "median of" not in text  # folds are no repetitions
    interval = f"[{100 * float(small['test_macro_f1_low']):.2f}, {100 * float(small['test_macro_f1_high']):.2f}]"
    assert f" {100 * pooled['small']:.2f} ± {100 * np.std(scores, ddof=1):.2f} {interval} |" in text


@pytest.mark.parametrize(("seeds", "intervals_for"), [([1], "these trained models"), ([1, 2], "the recipe")])
def test_the_interval_of_a_difference_is_over_all_examples(tmp_path, seeds, intervals_for):
    table, _ = _report(tmp_path, seeds, shared=False)
    labels = np.concatenate([_fold("small", 1, fold, False).labels for fold in range(3)])
    model, baseline = (
        scores(kind_with(["a", "b", "c"]).measures["macro_f1"], Replicated(labels, np.stack([
            np.concatenate([_fold(name, seed, fold, False).outputs["logits"].argmax(1) for fold in range(3)]) for seed in seeds
        ])))
        for name in ("small", "teacher")
    )  # fmt: skip
    expected = paired_difference(model, baseline)
    small = table["small"]
    assert float(small["difference_from_baseline_low"]) == pytest.approx(expected.low)
    assert float(small["difference_from_baseline_high"]) == pytest.approx(expected.high)
    assert small["intervals_for"] == intervals_for


def test_folds_that_share_a_test_split_are_repetitions_on_it(tmp_path):
    table, text = _report(tmp_path, [1], shared=True)
    text = " ".join(text.split())
    scores = [_f1([_fold("small", 1, fold, True)]) for fold in range(3)]
    assert float(table["small"]["test_macro_f1"]) == pytest.approx(np.mean(scores))
    assert "30 test examples, 3 folds, predicted by all" in text
    assert table["small"]["intervals_for"] == "the recipe"
