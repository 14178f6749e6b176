"""How small and how fast, at which price: the recipes of a finished study against its baseline, in one table.

    snakemake --configfile studies/smallest.yaml
    python benchmarks/compression.py results/smallest/movie_reviews
    python benchmarks/compression.py results/ablation/movie_reviews --baseline teacher/kd/words/slim

Accuracy is that of validation and test together, so that the interval is narrower; the difference from the baseline is
paired example by example, and the mean over all replicates. Nothing is measured here: the files are those of the study.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from constrictor.comparison.bootstrap import Interval, Replicated, paired_difference
from constrictor.data.outputs import read_predictions
from constrictor.models.manifest import Manifest
from constrictor.tasks.classification.metrics import Classification

RESAMPLES = 10_000
WEIGHTS = {".onnx", ".safetensors", ".ort", ".bin", ".data"}


def pooled(nodes: list[Path]) -> Replicated:
    """The answers to validation and test examples, over replicates."""
    found = [read_predictions(node / "predictions.parquet") for node in nodes]
    labels = np.concatenate([part.labels for part in found[0].values()])
    predictions = [np.concatenate([part.logits.argmax(1) for part in splits.values()]) for splits in found]
    return Replicated(labels, np.stack(predictions))


def weights_megabytes(manifest: Manifest) -> float:
    """Size of the files that hold weights; the tokenizer stands beside them."""
    return sum(entry.bytes for name, entry in manifest.files.items() if Path(name).suffix in WEIGHTS) / 1e6


def describe(lineage: str, nodes: list[Path], problem: Classification, baseline: Replicated, own: Replicated) -> str:
    """One line of the table."""
    manifest = Manifest.model_validate_json((nodes[0] / "model" / "manifest.json").read_text(encoding="utf-8"))
    accuracy = 100 * (own.predictions == own.labels).mean()
    difference = 100 * np.array(paired_difference(problem.measures["accuracy"], own, baseline, RESAMPLES))
    value, low, high = Interval(*difference)
    agreement = 100 * (own.predictions == baseline.predictions).mean()
    return (
        f"{lineage}\n    accuracy {accuracy:.2f} %, {value:+.2f} [{low:+.2f}, {high:+.2f}] points, same answers "
        f"{agreement:.1f} %, weights {weights_megabytes(manifest):.2f} MB, folder {manifest.bytes / 1e6:.2f} MB"
        + speeds(nodes[0] / "latency.json")
    )


def speeds(file: Path) -> str:
    """A line of speed-ups by shape and threads, or nothing for a model that was not timed."""
    if not file.exists():
        return ""
    shapes = json.loads(file.read_text(encoding="utf-8"))["shapes"]
    return "\n    " + "  ".join(
        f"{shape['batch']}x{shape['length']}/{shape['threads']}t "
        + " ".join(f"x{ratio:.1f} ({name})" for name, ratio in shape["speedup"].items())
        for shape in shapes
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results/<study>/<task>")
    parser.add_argument("--baseline", default="teacher", help="lineage of the baseline")
    options = parser.parse_args()
    replicates = sorted(path for path in options.results.iterdir() if path.is_dir())
    baseline_nodes = [replicate / options.baseline for replicate in replicates]
    manifest = Manifest.model_validate_json((baseline_nodes[0] / "model/manifest.json").read_text(encoding="utf-8"))
    problem = Classification(manifest.labels or [])
    baseline = pooled(baseline_nodes)
    print(f"{len(replicates)} replicates, {len(baseline.labels)} examples each; differences from {options.baseline}")
    for node in sorted(path.parent for path in replicates[0].rglob("predictions.parquet")):
        lineage = node.relative_to(replicates[0]).as_posix()
        nodes = [replicate / lineage for replicate in replicates]
        if all((each / "predictions.parquet").exists() for each in nodes):
            print(describe(lineage, nodes, problem, baseline, pooled(nodes)))


if __name__ == "__main__":
    main()
