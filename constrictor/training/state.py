"""What of a model a training changes, on disk: frozen weights are neither copied nor written."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from constrictor.files.writing import atomic_file


def live_state(model: nn.Module) -> dict[str, Tensor]:
    """Weights that are trained, and buffers; of a model with nothing frozen its whole state."""
    named = dict(model.named_parameters())
    if all(parameter.requires_grad for parameter in named.values()):
        return dict(model.state_dict())
    # Not from the state: that of a 4-bit layer is packed anew at each request.
    trained = {name: parameter.detach() for name, parameter in named.items() if parameter.requires_grad}
    return {**trained, **dict(model.named_buffers())}


def save_state(model: nn.Module, file: Path) -> None:
    """Write the state of the training, whole or not at all."""
    with atomic_file(file) as staging:
        # Some weights share memory (tied embeddings); safetensors needs each on its own.
        save_file({name: tensor.detach().clone() for name, tensor in live_state(model).items()}, staging)


def load_state(model: nn.Module, file: Path) -> None:
    """Restore a saved state, in place."""
    model.load_state_dict(load_file(file), strict=False)


def count_weights(model: nn.Module) -> dict[str, int]:
    """Numbers of weights that are trained and of all; a weight in 4 bits counts as one."""
    # peft keeps the head as it was beside the one that it trains.
    named = [(name, weight) for name, weight in model.named_parameters() if ".original_module." not in name]
    sizes = [(_size(weight), weight.requires_grad) for _, weight in named]
    return {
        "trainable_parameters": sum(size for size, trained in sizes if trained),
        "total_parameters": sum(size for size, _ in sizes),
    }


def _size(parameter: Tensor) -> int:
    state = getattr(parameter, "quant_state", None)
    return int(parameter.numel() if state is None else state.shape.numel())
