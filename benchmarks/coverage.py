"""How often the report's 95 % intervals contain the truth, in simulated studies whose truth is known.

    python benchmarks/coverage.py                                       # the table of docs/statistics.md, a quarter of an hour
    python benchmarks/coverage.py --seeds 2 10 --strays 2 --related 0.9 --metrics accuracy
    python benchmarks/coverage.py --speed                               # 300 recipes with 8,530 examples each

A study has two recipes, each trained with some seeds; all are tested on the same examples. Examples differ in difficulty,
which all models share to a degree (``--related``), and every training strays from its recipe's level by a normal number of
points. With one seed, the truth is what the trained model is worth on infinitely many examples; with more, what the recipe is
worth, the mean over infinitely many trainings. A cell has the coverage of the intervals that are not marked as *few*, and in
brackets the share of the marked ones, both in percent; the second table is of the paired difference.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from constrictor.comparison.differences import Difference, paired_difference
from constrictor.comparison.intervals import Interval, Replicated, interval, scores
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.measure import Measure
from constrictor.tasks.registry import kind_of

LEVEL, GAP = 0.85, 0.02  # of the better recipe, and by how much the other is worse
PARTS = 1000  # trainings that the truth of a recipe is the mean of


class World(NamedTuple):
    """Tasks of one kind.

    Attributes:
        measure: the metric.
        labels: draws ``(examples, ...)`` labels.
        predict: maps labels, ``(examples,)`` standard normal luck and a level to predictions.
        truth: maps a level to the metric on infinitely many examples.
    """

    measure: Measure
    labels: Callable[[np.random.Generator, int], np.ndarray]
    predict: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
    truth: Callable[[float], float]


def classes(metric: str, shares: tuple[float, ...]) -> World:
    """Classes with these shares, of which a model has each right equally often; its errors fall on the next class."""
    names = [str(number) for number in range(len(shares))]
    measure = measures("classification", names)[metric]

    def predict(labels: np.ndarray, luck: np.ndarray, level: float) -> np.ndarray:
        return np.where(luck < NormalDist().inv_cdf(level), labels, (labels + 1) % len(shares))

    def truth(level: float) -> float:
        confusion = np.diag(shares) * level + np.roll(np.diag(shares), 1, axis=1) * (1 - level)
        return float(measure.value(confusion.ravel()))

    return World(measure, lambda generator, examples: generator.choice(len(shares), examples, p=shares), predict, truth)


def several_labels(shares: tuple[float, ...]) -> World:
    """Labels of their own, with these shares; macro-F1."""
    measure = measures("multilabel", [str(number) for number in range(len(shares))])["macro_f1"]

    ease = np.linspace(-0.3, 0.3, len(shares))

    def predict(labels: np.ndarray, luck: np.ndarray, level: float) -> np.ndarray:
        return np.where(luck[:, None] < NormalDist().inv_cdf(level) + ease, labels, 1 - labels)

    def truth(level: float) -> float:
        right = np.array([NormalDist().cdf(NormalDist().inv_cdf(level) + each) for each in ease])
        hits, predicted = np.array(shares) * right, np.array(shares) * right + (1 - np.array(shares)) * (1 - right)
        return float(measure.value(np.concatenate([hits, predicted, shares, [0, 1]])))

    return World(
        measure, lambda generator, examples: (generator.random((examples, len(shares))) < shares) * 1, predict, truth
    )


def values(metric: str, truth: Callable[[float], float]) -> World:
    """Normal values, and predictions with a correlation of the level."""

    def predict(labels: np.ndarray, luck: np.ndarray, level: float) -> np.ndarray:
        return level * labels + np.sqrt(1 - level**2) * luck

    return World(
        measures("regression", ["score"])[metric],
        lambda generator, examples: generator.normal(size=examples), predict, truth,
    )  # fmt: skip


def answers() -> World:
    """Answers that are right, wrong, or right in part, as those that the F1 of SQuAD is the mean of."""
    measure = Measure(
        lambda labels, shares: np.stack([shares, np.ones_like(shares)], 1), lambda sums: sums[..., 0] / sums[..., 1]
    )

    def predict(labels: np.ndarray, luck: np.ndarray, level: float) -> np.ndarray:
        worse = luck - NormalDist().inv_cdf(level)
        return np.where(worse < 0, 1.0, np.where(worse < 0.5, 1 - worse, 0.0))

    def truth(level: float) -> float:
        grid = np.linspace(0, 0.5, 2001)
        density = np.exp(-((grid + NormalDist().inv_cdf(level)) ** 2) / 2) / np.sqrt(2 * np.pi)
        return level + float(np.trapezoid((1 - grid) * density, grid))

    return World(measure, lambda generator, examples: np.zeros(examples), predict, truth)


def measures(kind: str, labels: list[str]) -> dict[str, Measure]:
    """The metrics of a task."""
    return kind_of(TaskRecord(kind=kind, labels=labels, max_length=8, options={"truncation": "head"})).measures


WORLDS: dict[str, Callable[[], World]] = {
    "accuracy": lambda: classes("accuracy", (0.5, 0.5)),
    "macro-F1, classes 50:40:10": lambda: classes("macro_f1", (0.5, 0.4, 0.1)),
    "F1 of a class of 10 %": lambda: classes("f1", (0.9, 0.1)),
    "MCC, classes 70:30": lambda: classes("mcc", (0.7, 0.3)),
    "Pearson": lambda: values("pearson", lambda level: level),
    "Spearman": lambda: values("spearman", lambda level: float(6 / np.pi * np.arcsin(level / 2))),
    "token F1": answers,
    "macro-F1, labels of 40, 20, 10 %": lambda: several_labels((0.4, 0.2, 0.1)),
}


@dataclass
class Coverage:
    """How many intervals contain the truth."""

    covered: int = 0
    shown: int = 0
    repeats: int = 0

    def add(self, found: Interval | Difference, truth: float) -> None:
        """Count an interval."""
        self.repeats += 1
        self.shown += not found.few
        self.covered += not found.few and found.low <= truth <= found.high

    def __str__(self) -> str:
        marked = 100 * (1 - self.shown / self.repeats)
        covered = f"{100 * self.covered / self.shown:.1f}" if self.shown else "few"
        return covered + (f" ({marked:.0f})" if marked >= 0.5 else "")


def simulate(world: World, examples: int, seeds: int, stray: float, related: float, repeats: int) -> list[Coverage]:
    """Coverage of the intervals of a model's metric, and of a difference."""
    generator = np.random.default_rng([examples, seeds, round(10_000 * stray)])
    recipes = (LEVEL, LEVEL - GAP)
    # The middles of equal parts of a normal distribution: infinitely many trainings.
    strays = stray * np.array([NormalDist().inv_cdf((part + 0.5) / PARTS) for part in range(PARTS)])
    known = [float(np.mean([world.truth(level) for level in recipe + strays])) for recipe in recipes]
    found = [Coverage(), Coverage()]
    for _ in range(repeats):
        labels = world.labels(generator, examples)
        difficulty = np.sqrt(related) * generator.normal(size=examples)
        models, truths = [], known
        levels = np.clip(np.array(recipes)[:, None] + stray * generator.normal(size=(2, seeds)), 0.01, 0.999)
        if seeds == 1:
            truths = [world.truth(level) for level in levels[:, 0]]
        for level in levels:
            luck = difficulty + np.sqrt(1 - related) * generator.normal(size=(seeds, examples))
            predictions = np.stack([world.predict(labels, own, one) for own, one in zip(luck, level, strict=True)])
            models.append(scores(world.measure, Replicated(labels, predictions)))
        found[0].add(interval(models[0]), truths[0])
        found[1].add(paired_difference(models[1], models[0]), truths[1] - truths[0])
    return found


def table(options: argparse.Namespace) -> None:
    """Print the two tables, of all settings."""
    columns = [(1, 0.0)] if 1 in options.seeds else []
    columns += list(product([seeds for seeds in options.seeds if seeds > 1], options.strays))
    titles = [f"{seeds} seeds, {stray:g}" if seeds > 1 else "1 seed" for seeds, stray in columns]
    head = "| " + " | ".join(["metric", "examples", *titles]) + " |\n" + "| :-- " + "| --: " * (len(titles) + 1) + "|"
    lines: list[list[str]] = [[], []]
    for name, examples in product(options.metrics, options.examples):
        cells = [
            simulate(WORLDS[name](), examples, seeds, stray / 100, options.related, options.repeats)
            for seeds, stray in columns
        ]
        for kind, part in enumerate(lines):
            part.append(f"| {name} | {examples:,} | " + " | ".join(str(cell[kind]) for cell in cells) + " |")
    for title, part in zip(("Of a model's metric", "Of a paired difference"), lines, strict=True):
        print(f"\n{title}:\n\n{head}\n" + "\n".join(part))


def speed(recipes: int = 300, examples: int = 8530) -> None:
    """Print the seconds of a large study's intervals: of each model, and of its differences from baseline and control."""
    world, generator = WORLDS["macro-F1, classes 50:40:10"](), np.random.default_rng(0)
    labels = world.labels(generator, examples)
    predictions = [world.predict(labels, generator.normal(size=examples), LEVEL)[None] for _ in range(recipes)]
    start = time.perf_counter()
    models = [scores(world.measure, Replicated(labels, found)) for found in predictions]
    for model in models:
        interval(model)
        for other in models[:2]:
            paired_difference(model, other)
    print(f"{recipes} recipes, {examples:,} examples: {time.perf_counter() - start:.2f} s")


def main() -> None:
    """Print the tables, or the seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics", nargs="+", default=list(WORLDS), choices=list(WORLDS))
    parser.add_argument("--examples", nargs="+", type=int, default=[71, 277, 853, 8530])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 3, 5])
    parser.add_argument(
        "--strays", nargs="+", type=float, default=[0, 0.5, 1], help="standard deviation of trainings, in points"
    )
    parser.add_argument(
        "--related", type=float, default=0.5, help="correlation between two models' luck with an example"
    )
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--speed", action="store_true", help="measure the time of the computation instead")
    options = parser.parse_args()
    if options.speed:
        speed()
    else:
        table(options)


if __name__ == "__main__":
    main()
