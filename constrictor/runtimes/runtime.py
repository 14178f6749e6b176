"""An open artifact: its model with the tokenizer and the kind of its task. It knows no format, so that a training needs none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from constrictor.data.batching import Encoded, RawOutputs, pad, predict_outputs
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import Manifest
from constrictor.runtimes.opened import Opened, Predict
from constrictor.tasks.kind import Features, Kind


@dataclass(frozen=True)
class Runtime:
    """A loaded artifact.

    Attributes:
        manifest: what the artifact is.
        kind: the kind of its task.
        tokenizer: its tokenizer.
        opened: the open model.
    """

    manifest: Manifest
    kind: Kind
    tokenizer: Tokenizer
    opened: Opened

    @property
    def predict(self) -> Predict:
        """Maps a batch to its outputs."""
        return self.opened.predict

    def outputs_of(self, features: Features, batch_size: int = 64) -> RawOutputs:
        """Outputs for features, in the order given.

        Raises:
            ConstrictorError: if they have not the shapes that the manifest's task requires, or are not finite.
        """
        pad_id, per_token = self.tokenizer.pad_id, self.kind.per_token
        raw = predict_outputs(self.predict, features.encoded, pad_id, per_token=per_token, batch_size=batch_size)
        for name, shape in self.kind.output_shapes(len(features.encoded), 0).items():
            found = raw.get(name)
            if found is None or (isinstance(found, np.ndarray) and found.shape != shape):
                outputs = f"{name} {found.shape}" if isinstance(found, np.ndarray) else ", ".join(raw)
                names = ", ".join(self.kind.head.names)
                raise ConstrictorError(
                    f"the model's outputs are {outputs} and its manifest names {len(self.kind.head.names)} ({names}): one of "
                    "the two was changed. Delete the model's folder and run snakemake again."
                )
        self._refuse_not_finite(raw, features.encoded)
        return raw

    def _refuse_not_finite(self, raw: RawOutputs, encoded: Encoded) -> None:
        finite = np.all([_finite_rows(found) for found in raw.values()], axis=0)
        if finite.all():
            return
        batch = pad([encoded[int(np.argmin(finite))]], self.tokenizer.pad_id)
        first = self.opened.first_not_finite(batch)
        where = f", first in '{first}'" if first else ""
        lineage = "/".join(record.step for record in self.manifest.lineage)
        raise ConstrictorError(
            f"The outputs of {lineage} for {(~finite).sum()} of {len(finite)} inputs are not finite numbers{where}. "
            f"{_REMEDIES.get(self.manifest.precision, 'Quantize by another method.')}"
        )


def _finite_rows(found: np.ndarray | list[np.ndarray]) -> np.ndarray:
    """``(features,)`` whether all outputs for a feature are finite."""
    if isinstance(found, list):
        return np.array([np.isfinite(values).all() for values in found])
    return np.isfinite(found).reshape(len(found), -1).all(axis=1)


_REMEDIES = {
    "fp32": "The training has diverged, or what it started from is damaged: lower 'lr', or take another model.",
    "fp16": "In fp16, numbers end at 65,504. Quantize by another method: 'dynamic', or in torch 'bf16'.",
}
