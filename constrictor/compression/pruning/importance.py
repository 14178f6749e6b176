"""How much each attention head and feed-forward neuron matters.

All scores are computed from what enters a layer's two output matrices: the heads' context vectors, and the neurons' activations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.compression.sample import Sample
from constrictor.errors import ConstrictorError
from constrictor.models.architecture import Matrix
from constrictor.models.model_inputs import inputs_of
from constrictor.models.widths import Block, blocks_of, by_output
from constrictor.runtimes.torch import outputs_of
from constrictor.tasks.registry import model_of

Score = Literal["taylor", "magnitude", "activation"]


class Importance(NamedTuple):
    """Scores of one layer: ``(heads,)`` and ``(neurons,)``; a higher one matters more."""

    heads: Tensor
    neurons: Tensor


def importance_of(model: PreTrainedModel, sample: Sample, score: Score) -> list[Importance]:
    """Score every head and neuron of a model.

    Args:
        model: the model; nothing of it changes.
        sample: calibration examples.
        score: see :func:`taylor_importance`, :func:`magnitude_importance` and :func:`activation_importance`.

    Raises:
        ConstrictorError: if `taylor` is given examples without labels.
    """
    return _SCORES[score](model, sample)


def taylor_importance(model: PreTrainedModel, sample: Sample) -> list[Importance]:
    """First-order change of the loss if a head or neuron went: ``E_x |sum_t a_t . dL(x)/da_t|``.

    The sum is over the tokens of one example, ``a_t`` being a head's context vector or a neuron's activation (Michel et
    al., 2019, equation 2; Molchanov et al., 2019). The loss is that of the labels.
    """
    if not sample.labelled:
        raise ConstrictorError(
            "the score 'taylor' needs labels, and some calibration examples have none. "
            "Use 'calibration: train', or another 'score'."
        )

    head, losses = sample.kind.head, model_of(sample.kind.record)
    blocks = blocks_of(model)
    totals = [Importance(torch.zeros(block.heads), torch.zeros(block.neurons)) for block in blocks]
    with _recorded_inputs(blocks) as recorded, _evaluating(model):
        for batch in sample.batches():
            features = inputs_of(model, batch)
            with torch.enable_grad():
                outputs = outputs_of(model, features, head)
                targets = {name: values.to(model.device) for name, values in batch.items()}
                # A sum, so that an example's gradient is its own.
                losses.label_loss(outputs, targets).sum().backward()
            for total, block in zip(totals, blocks, strict=True):
                by_width = _slopes(recorded, block.attention_output)
                total.heads.add_(by_width.unflatten(1, (block.heads, -1)).sum(2).abs().sum(0).cpu())
                total.neurons.add_(_slopes(recorded, block.ffn_out).abs().sum(0).cpu())
            model.zero_grad(set_to_none=True)
    return [Importance(*(part / len(sample.encoded) for part in total)) for total in totals]


def magnitude_importance(model: PreTrainedModel, sample: Sample) -> list[Importance]:
    """Euclidean norm of all weights that would go with a head or neuron (Li et al., 2017)."""
    found = []
    for block in blocks_of(model):
        heads = _squares(block.attention_output, into=True).view(block.heads, -1).sum(1)
        for matrix in block.into_heads:
            heads = heads + _squares(matrix, into=False).view(block.heads, -1).sum(1)
        neurons = _squares(block.ffn_in, into=False) + _squares(block.ffn_out, into=True)
        found.append(Importance(heads.sqrt(), neurons.sqrt()))
    return found


def activation_importance(model: PreTrainedModel, sample: Sample) -> list[Importance]:
    """Size of what a head or neuron adds to the residual stream, as a root mean square over tokens.

    For a neuron ``|a| * |w|`` with its activation and its column of the output matrix; for a head the norm of its context
    vector times its columns.
    """
    blocks = blocks_of(model)
    totals = [Importance(torch.zeros(block.heads), torch.zeros(block.neurons)) for block in blocks]
    tokens = 0
    with _recorded_inputs(blocks) as recorded, _evaluating(model), torch.no_grad():
        for batch in sample.batches():
            features = inputs_of(model, batch)
            model(**features)
            real = features["attention_mask"].bool()
            tokens += int(real.sum())
            for total, block in zip(totals, blocks, strict=True):
                columns = _by_input(block.attention_output).unflatten(0, (block.heads, -1))
                for inputs in recorded.pop(block.attention_output):
                    context = inputs[real].unflatten(1, (block.heads, -1))
                    total.heads.add_(torch.einsum("thd,hdo->tho", context, columns).square().sum((0, 2)).cpu())
                for inputs in recorded.pop(block.ffn_out):
                    squares = inputs[real].square().sum(0) * _squares(block.ffn_out, into=True)
                    total.neurons.add_(squares.cpu())
    return [Importance(*((part / tokens).sqrt() for part in total)) for total in totals]


_SCORES: dict[str, Callable[[PreTrainedModel, Sample], list[Importance]]] = {
    "taylor": taylor_importance,
    "magnitude": magnitude_importance,
    "activation": activation_importance,
}


@contextmanager
def _recorded_inputs(blocks: list[Block]) -> Iterator[dict[nn.Module, list[Tensor]]]:
    """Keep what enters the output matrices, with its gradient after a backward pass; a shared layer is entered often."""
    recorded: dict[nn.Module, list[Tensor]] = defaultdict(list)

    def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].requires_grad:
            inputs[0].retain_grad()
        recorded[module].append(inputs[0])

    hooks = [
        matrix.register_forward_pre_hook(keep) for block in blocks for matrix in (block.attention_output, block.ffn_out)
    ]
    try:
        yield recorded
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Without dropout, whatever mode the model is in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _slopes(recorded: dict[nn.Module, list[Tensor]], matrix: Matrix) -> Tensor:
    """``(examples, width)``: inputs times gradients, summed over tokens and over the passes of a shared layer."""
    found = [(inputs.detach() * inputs.grad).sum(1) for inputs in recorded.pop(matrix) if inputs.grad is not None]
    return torch.stack(found).sum(0)


def _by_input(matrix: Matrix) -> Tensor:
    """A matrix's weights as ``(inputs, outputs)``."""
    return by_output(matrix).detach().t()


def _squares(matrix: Matrix, *, into: bool) -> Tensor:
    """Sums of squared weights by input, or by output."""
    return _by_input(matrix).square().sum(1 if into else 0)
