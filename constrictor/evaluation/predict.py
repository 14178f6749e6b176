"""A loaded model's predictions for a file of examples."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from constrictor.data.examples import examples_in_chunks
from constrictor.data.outputs import Outputs, Predictions
from constrictor.runtimes.runtime import Runtime


class Predicted(NamedTuple):
    """Predictions for a file.

    Attributes:
        predictions: with what is right.
        losses: ``(features,)``.
        lengths: ``(examples,)`` tokens of each input before truncation.
    """

    predictions: Predictions
    losses: np.ndarray
    lengths: np.ndarray


def predict_file(runtime: Runtime, file: Path, batch_size: int = 64) -> Predicted:
    """A model's predictions for all examples of a file; some thousands of the inputs are in memory at a time.

    Args:
        runtime: the model.
        file: Parquet file of examples.
        batch_size: features in one call.

    Raises:
        ConstrictorError: if the file is damaged.
    """
    kind = runtime.kind
    parts = []
    for chunk in examples_in_chunks(file):
        features = kind.encode(runtime.tokenizer, chunk.texts)
        raw = runtime.outputs_of(features, batch_size)
        losses = kind.losses(raw, kind.targets(features, chunk.labels))
        outputs = kind.decode(raw, features, chunk.texts)
        parts.append(Predicted(Predictions(chunk.ids, chunk.labels, outputs), losses, features.lengths))
    found = [part.predictions for part in parts]
    joined = Predictions(
        [identity for part in found for identity in part.ids],
        np.concatenate([part.labels for part in found]),
        {name: np.concatenate([part.outputs[name] for part in found]) for name in found[0].outputs},
    )
    return Predicted(
        joined, np.concatenate([part.losses for part in parts]), np.concatenate([part.lengths for part in parts])
    )


def outputs_for(runtime: Runtime, file: Path, batch_size: int = 64) -> Outputs:
    """A model's outputs for the features of all examples of a file, as a student is trained on them.

    Args:
        runtime: the model.
        file: Parquet file of examples.
        batch_size: features in one call.

    Raises:
        ConstrictorError: if the file is damaged.
    """
    ids: list[str] = []
    parts = []
    for chunk in examples_in_chunks(file):
        features = runtime.kind.encode(runtime.tokenizer, chunk.texts)
        ids += [chunk.ids[number] for number in features.example]
        parts.append(runtime.outputs_of(features, batch_size))
    if runtime.kind.per_token:
        return Outputs(ids, {name: [row for part in parts for row in part[name]] for name in parts[0]})
    return Outputs(ids, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
