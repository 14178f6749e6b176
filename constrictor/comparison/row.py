"""What the comparison reads of a study, and its record of each model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from constrictor.comparison.differences import Difference
from constrictor.comparison.efficiency import Training, per_million_parameters, per_training_minute
from constrictor.comparison.intervals import Interval
from constrictor.models.manifest import Manifest
from constrictor.study.settings import Settings
from constrictor.study.steps.prune import masks_only


class Comparison(Settings):
    """What the comparison reads of a study."""

    recipes: dict[str, str]
    baseline: str
    control: str | None = None
    margin: float
    intervals: Literal["recipe", "models"] | None = None
    replicates: list[str]
    folds: int | None = None
    gates: dict[str, float] = {}

    @property
    def baseline_lineage(self) -> str:
        """Lineage of the baseline."""
        return self.recipes[self.baseline]

    @property
    def control_lineage(self) -> str | None:
        """Lineage of the control."""
        return self.recipes[self.control] if self.control else None


@dataclass(frozen=True)
class Row:
    """What is known of one model, over all replicates.

    Attributes:
        lineage: its steps.
        recipe: the recipe that it ends, if any.
        test: the metric on test with its interval; over all folds together where each has a test of its own.
        intervals_for: what the intervals hold for: `the recipe`, trained anew, or `these trained models`.
        examples: test examples that the metric is over.
        repetitions: how often each of them was predicted; fewer than replicates where folds share the examples out.
        validation: the metric on validation.
        spread: standard deviation of the test metric over replicates; None for a single one.
        median: of the test metric over replicates.
        tuned: the metric on test with the decision thresholds that are best on validation; None where nothing is decided.
        against_baseline: paired difference from the baseline on test; None for itself.
        against_control: paired difference from the control on test; None where there is none and for itself.
        against_parent: paired difference from its parent on test; None at a root.
        agreement: share of test examples with the parent's prediction; None at a root, and where predictions are values.
        output_difference: mean absolute difference of an output from its parent's; None at a root.
        gate: largest accepted loss against its parent, if its step has a gate.
        metrics: all test metrics, the mean over replicates.
        extra_test_sets: by name of each extra test set its metrics, the mean over replicates.
        bytes: size of its files.
        manifest: of the first replicate.
        latency: of the first replicate, the only one that is timed; None if it was not.
        training_seconds: time spent training all that led to it, the mean over replicates.
        training: the training that its weights come from; None where nothing was trained.
    """

    lineage: str
    recipe: str | None
    test: Interval
    intervals_for: str
    examples: int
    repetitions: int
    validation: float
    spread: float | None
    median: float
    tuned: float | None
    against_baseline: Difference | None
    against_control: Difference | None
    against_parent: Difference | None
    agreement: float | None
    output_difference: float | None
    gate: float | None
    metrics: dict[str, float]
    extra_test_sets: dict[str, dict[str, float]]
    bytes: int
    manifest: Manifest
    latency: dict[str, Any] | None
    training_seconds: float
    training: Training | None

    @property
    def efficiency(self) -> dict[str, float]:
        """Points of the metric on test for what the model holds and for what it cost to train."""
        found = {"points_per_million_parameters": per_million_parameters(self.test.value, self.manifest.parameters)}
        if self.training_seconds:
            found["points_per_training_minute"] = per_training_minute(self.test.value, self.training_seconds)
        return found

    @property
    def sparse_only(self) -> bool:
        """Whether single weights were zeroed, which makes no matrix smaller: zeros alone bring no speed."""
        return any(masks_only(record.settings) for record in self.manifest.lineage)

    @property
    def rejected(self) -> str:
        """Why the model is over its step's gate; empty if it is not."""
        if self.gate is None or self.against_parent is None or self.against_parent.value >= -self.gate:
            return ""
        lost = -100 * self.against_parent.value
        return f"rejected: {lost:.2f} points below its parent, more than the gate's {100 * self.gate:g}"

    def timed_at(self, batch: int, length: int | str) -> dict[str, Any] | None:
        """What was measured at a shape, on the first number of threads that the study names; None if nothing was."""
        shapes = self.latency["shapes"] if self.latency else []
        return next((shape for shape in shapes if (shape["batch"], shape["length"]) == (batch, length)), None)

    def verdict(self, margin: float) -> str:
        """Whether the model is non-inferior to the baseline: `yes`, `no` or `inconclusive` (the interval contains the margin)."""
        if self.against_baseline is None:
            return "baseline"
        if self.against_baseline.low > -margin:
            return "yes"
        return "no" if self.against_baseline.high < -margin else "inconclusive"
