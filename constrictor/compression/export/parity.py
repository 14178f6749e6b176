"""Whether an exported model says what its parent says, on real text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from constrictor.errors import ConstrictorError


def compare_logits(reference: np.ndarray, candidate: np.ndarray) -> dict[str, Any]:
    """How far two sets of logits are apart.

    Args:
        reference: ``(texts, classes)``.
        candidate: ``(texts, classes)``.

    Returns:
        The largest and the mean absolute difference, and the share of equal predictions.
    """
    difference = np.abs(reference - candidate)
    return {
        "texts": len(reference),
        "max_difference": float(difference.max()),
        "mean_difference": float(difference.mean()),
        "equal_predictions": float((reference.argmax(1) == candidate.argmax(1)).mean()),
    }


def refuse_difference(found: dict[str, Any], limit: float, file: Path) -> None:
    """Stop when an exported model does not compute what its parent does.

    Raises:
        ConstrictorError: saying by how much the limit is passed.
    """
    if not found["max_difference"] <= limit:  # also catches NaN
        raise ConstrictorError(
            f"{file.name} differs from its parent: a logit by {found['max_difference']:.2e} where {limit:.0e} is "
            f"allowed (mean {found['mean_difference']:.2e}, {found['equal_predictions']:.1%} equal predictions on "
            f"{found['texts']} texts). Raise 'atol' only if you know why; another 'opset' may help."
        )
