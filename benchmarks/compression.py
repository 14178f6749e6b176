"""How small and how fast, at which price: the recipes of a finished study against its baseline, in one table.

    snakemake --configfile studies/smallest.yaml
    python benchmarks/compression.py results/smallest/movie_reviews
    python benchmarks/compression.py results/ablation/movie_reviews --baseline teacher/kd/words/slim

The metric is that of validation and test together, so that the interval is narrower; the difference from the baseline is
paired example by example, and the mean over all replicates. Nothing is measured here: the files are those of the study.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from constrictor.comparison.differences import paired_difference
from constrictor.comparison.intervals import Replicated, scores
from constrictor.data.outputs import read_predictions
from constrictor.models.manifest import Manifest
from constrictor.study.splits import HELD_OUT
from constrictor.tasks.kind import Kind
from constrictor.tasks.registry import kind_of

WEIGHTS = {".onnx", ".safetensors", ".ort", ".bin", ".data"}


def pooled(kind: Kind, nodes: list[Path]) -> Replicated:
    """The predictions for validation and test examples, over replicates."""
    found = [read_predictions(node / "predictions.parquet") for node in nodes]
    labels = np.concatenate([found[0][split].labels for split in HELD_OUT])
    predictions = [np.concatenate([kind.predict(splits[split].outputs) for split in HELD_OUT]) for splits in found]
    return Replicated(labels, np.stack(predictions))


def weights_megabytes(manifest: Manifest) -> float:
    """Size of the files that hold weights; the tokenizer stands beside them."""
    return sum(entry.bytes for name, entry in manifest.files.items() if Path(name).suffix in WEIGHTS) / 1e6


def describe(lineage: str, nodes: list[Path], kind: Kind, metric: str, baseline: Replicated, own: Replicated) -> str:
    """The entry of a recipe in the table."""
    manifest = read_manifest(nodes[0])
    measure = kind.measures[metric]
    quality = 100 * np.mean([measure.of(own.labels, predictions) for predictions in own.predictions])
    value, low, high = (100 * end for end in paired_difference(scores(measure, own), scores(measure, baseline))[:3])
    pairs = zip(own.predictions, baseline.predictions, strict=True)
    agreements = [share for pair in pairs if (share := kind.agreement(*pair)) is not None]
    agreement = f", agreement with the baseline {100 * np.mean(agreements):.1f} %" if agreements else ""
    return (
        f"{lineage}\n    {metric} {quality:.2f}, {value:+.2f} [{low:+.2f}, {high:+.2f}] points{agreement}, weights "
        f"{weights_megabytes(manifest):.2f} MB, folder {manifest.bytes / 1e6:.2f} MB"
        + speeds(nodes[0] / "latency.json")
    )


def read_manifest(node: Path) -> Manifest:
    """The manifest of a node's model."""
    return Manifest.model_validate_json((node / "model" / "manifest.json").read_text(encoding="utf-8"))


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
    parser.add_argument("--metric", default="accuracy", help="a metric of the task's kind")
    options = parser.parse_args()
    replicates = sorted(path for path in options.results.iterdir() if path.is_dir())
    baseline_nodes = [replicate / options.baseline for replicate in replicates]
    kind = kind_of(read_manifest(baseline_nodes[0]).trained_for())
    if options.metric not in kind.measures:
        parser.error(f"this task has no metric '{options.metric}'. Its metrics: {', '.join(kind.measures)}.")
    baseline = pooled(kind, baseline_nodes)
    print(f"{len(replicates)} replicates, {len(baseline.labels)} examples each; differences from {options.baseline}")
    for node in sorted(path.parent for path in replicates[0].rglob("predictions.parquet")):
        lineage = node.relative_to(replicates[0]).as_posix()
        nodes = [replicate / lineage for replicate in replicates]
        if all((each / "predictions.parquet").exists() for each in nodes):
            print(describe(lineage, nodes, kind, options.metric, baseline, pooled(kind, nodes)))


if __name__ == "__main__":
    main()
