"""The data of a training: features, targets and the teachers' outputs, from the files that its plan names."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from constrictor.data.batching import Encoded, RawOutputs
from constrictor.data.examples import read_examples
from constrictor.data.outputs import read_outputs
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.study.training_plan import TrainingPlan, TrainingSet
from constrictor.tasks.kind import Features, Kind

TEACHER = "teacher_"
"""What the names of a teacher's outputs begin with among the targets."""


@dataclass(frozen=True)
class TrainingData:
    """What a model is trained on.

    Attributes:
        encoded: every feature in tokens.
        pad_id: id of the padding token.
        targets: one entry a feature, handed to the loss: arrays, or per token lists of ``(tokens,)`` arrays.
        grouped_by_length: whether a batch holds features of one length, which saves padding.
    """

    encoded: Encoded
    pad_id: int
    targets: RawOutputs = field(default_factory=dict)
    grouped_by_length: bool = True

    @property
    def group_of(self) -> list[int]:
        """The group of each feature: batches are drawn from within a group, as far as they fill up."""
        return [len(ids) if self.grouped_by_length else 0 for ids in self.encoded]


def training_data(plan: TrainingPlan, tokenizer: Tokenizer, kind: Kind) -> TrainingData:
    """All training sets, each as often as it is repeated; with the mean of the teachers' outputs if there are teachers.

    Args:
        plan: what to read.
        tokenizer: the model's tokenizer.
        kind: the kind of the task.

    Raises:
        ConstrictorError: if a set's outputs were not made from its examples.
    """
    encoded: Encoded = []
    parts: list[RawOutputs] = []
    for part in plan.sets:
        examples = read_examples(part.examples)
        features = kind.encode(tokenizer, examples.texts)
        ids = [examples.ids[number] for number in features.example]
        teacher = {f"{TEACHER}{name}": values for name, values in _teacher_outputs(part, ids, features).items()}
        encoded += features.encoded * part.repeats
        parts += [{**kind.targets(features, examples.labels), **teacher}] * part.repeats
    targets = {name: _joined([part[name] for part in parts]) for name in parts[0]}
    return TrainingData(encoded, tokenizer.pad_id, targets, kind.grouped_by_length)


def _joined(parts: list[np.ndarray | list[np.ndarray]]) -> np.ndarray | list[np.ndarray]:
    if isinstance(parts[0], list):
        return [values for part in parts for values in part]
    return np.concatenate(parts)


def _teacher_outputs(part: TrainingSet, ids: list[str], features: Features) -> RawOutputs:
    """Mean of the teachers' outputs: of logits, the geometric mean of their probabilities, up to a factor."""
    found: list[RawOutputs] = []
    for file in part.outputs:
        outputs = read_outputs(file)
        if ids != outputs.ids:
            raise ConstrictorError(f"{file} was not made from {part.examples}. Delete it and run snakemake again.")
        found.append(outputs.arrays)
    return {name: _mean([arrays[name] for arrays in found], part, features) for name in (found[0] if found else {})}


def _mean(
    values: list[np.ndarray | list[np.ndarray]], part: TrainingSet, features: Features
) -> np.ndarray | list[np.ndarray]:
    if isinstance(values[0], list):
        if any([len(row) for row in teacher] != [len(row) for row in features.encoded] for teacher in values):
            raise ConstrictorError(
                f"the teacher's outputs for {part.examples} belong to other tokens than the student's. Take a teacher with "
                "the student's tokenizer, or train on labels alone."
            )
        return [np.stack(rows).mean(axis=0, dtype=np.float32) for rows in zip(*values, strict=True)]
    arrays = [np.asarray(teacher) for teacher in values]
    shapes = [array.shape[1:] for array in arrays]
    if len(set(shapes)) > 1:
        raise ConstrictorError(
            f"the teachers of {part.examples} have different numbers of outputs: "
            f"{', '.join('x'.join(map(str, shape)) for shape in shapes)}. Take teachers of the same task."
        )
    return np.stack(arrays).mean(axis=0, dtype=np.float32)
