"""What a loaded model says about a file of examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from constrictor.data.examples import examples_in_chunks
from constrictor.data.outputs import Outputs
from constrictor.runtimes.load import Runtime


def answers_of(runtime: Runtime, file: Path, batch_size: int = 64) -> Outputs:
    """A model's outputs for all examples of a file; of the texts, some thousands are in memory at a time.

    Args:
        runtime: the model.
        file: Parquet file of examples.
        batch_size: texts in one call.

    Raises:
        ConstrictorError: if the file is damaged.
    """
    parts = [
        Outputs(chunk.ids, chunk.labels, runtime.logits_of(chunk.texts, batch_size))
        for chunk in examples_in_chunks(file)
    ]
    ids, labels, logits = zip(*parts, strict=True)
    return Outputs([each for some in ids for each in some], np.concatenate(labels), np.concatenate(logits))
