"""Calibration examples: the ones that a method of compression looks at before it decides."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from constrictor.data.examples import Examples, read_examples
from constrictor.errors import ConstrictorError
from constrictor.study.steps.recovery import Calibration


def draw_examples(settings: Calibration, file: Path) -> Examples:
    """The calibration examples of a step, drawn by a fixed seed and in the order of the file.

    Raises:
        ConstrictorError: if there are fewer examples than the step wants to look at.
    """
    examples = read_examples(file)
    if len(examples) < settings.calibration_size:
        raise ConstrictorError(
            f"'{settings.calibration}' has {len(examples)} examples and the step wants to look at "
            f"{settings.calibration_size}. Lower 'calibration_size'."
        )
    rows = np.random.default_rng(0).choice(len(examples), settings.calibration_size, replace=False)
    return examples.take(np.sort(rows))
