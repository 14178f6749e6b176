"""How much training a study shares: its recipes as one tree, against each recipe as a pipeline of its own.

    python benchmarks/sharing.py studies/bangla_hate_speech.yaml
    python benchmarks/sharing.py config.yaml --results results/quickstart/movie_reviews

A pipeline of its own trains every step of its chain, as a folder of scripts does. Epochs are those that the study names,
a recovery's included. With ``--results``, seconds are those that the trainings took, the mean over replicates.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from constrictor.study.lineage import ancestry
from constrictor.study.plan import Plan
from constrictor.study.read import load_study


def epochs_of(plan: Plan, lineage: str) -> int:
    """Epochs that the last step of a lineage trains for; 0 if it trains nothing."""
    step = plan.step(lineage)
    return int(getattr(step, "epochs", 0) or getattr(step, "finetune_epochs", 0))


def seconds_of(results: Path, lineage: str) -> float:
    """Seconds of training of a lineage's last step, the mean over replicates."""
    records = [json.loads(file.read_text(encoding="utf-8")) for file in results.glob(f"*/{lineage}/training.json")]
    return sum(record.get("seconds", 0.0) for record in records) / max(len(records), 1)


def main() -> None:
    """Print the two columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="the study file")
    parser.add_argument("--results", type=Path, help="results/<study>/<task>, for seconds")
    arguments = parser.parse_args()
    plan = Plan(load_study(arguments.study))
    alone = Counter(node for path in plan.study.recipes.values() for node in ancestry(path))
    trained = {node: count for node, count in alone.items() if epochs_of(plan, node)}
    replicates = len(plan.replicates)
    print(
        f"{len(plan.study.recipes)} recipes, {len(alone)} models, {replicates} replicates, {len(plan.study.tasks)} tasks"
    )
    rows = {
        "trainings": (len(trained), sum(trained.values())),
        "epochs": (
            sum(epochs_of(plan, node) for node in trained),
            sum(count * epochs_of(plan, node) for node, count in trained.items()),
        ),
    }
    if arguments.results:
        seconds = {node: seconds_of(arguments.results, node) for node in trained}
        rows["seconds"] = (
            round(sum(seconds.values())),
            round(sum(count * seconds[node] for node, count in trained.items())),
        )
    for name, (shared, separate) in rows.items():
        print(f"{name:<10} shared {shared:>6}   separate {separate:>6}   ratio {shared / max(separate, 1):.2f}")


if __name__ == "__main__":
    main()
