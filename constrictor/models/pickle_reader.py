"""The program that reads a pickle of tensors and writes them as safetensors: the only module that opens a pickle.

A pickle is a program that its reader executes. torch's reader of tensors executes only what builds tensors, and it had
faults (CVE-2025-32434, CVE-2026-24747). It therefore runs in a process of its own that is confined before it sees the file
(:mod:`constrictor.models.confinement`):

    python -m constrictor.models.pickle_reader REQUEST < pytorch_model.bin

The request is JSON: the descriptor of the file to write, which is open, and the names that save_pretrained leaves out where
tensors are tied. The reply on standard output is JSON, too: what was converted, or why it was refused.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import sys
import warnings
from typing import IO, TYPE_CHECKING, Any

from constrictor.errors import ConstrictorError
from constrictor.models.confinement import Limits, confine

if TYPE_CHECKING:
    from torch import Tensor

_FIXED_TORCH = "2.10"  # the first version in which both faults are fixed
_COPIES = 4  # of the tensors, in memory: as read, as written, as read back, and what torch buffers
_SPARE_BYTES, _HEADER_BYTES = 256 * 2**20, 2**20
_SECONDS, _BYTES_PER_SECOND = 60, 10_000_000


def main() -> None:
    """Convert standard input as requested, and reply."""
    warnings.simplefilter("ignore")
    try:
        reply = _reply(**json.loads(sys.argv[1]))
    except ConstrictorError as error:
        reply = {"refused": str(error)}
    print(json.dumps(reply))


def _reply(output: int, tied: list[str]) -> dict[str, Any]:
    refuse_old_torch()
    _rehearse()
    with open(0, "rb") as source, open(output, "w+b") as target:
        size = os.fstat(source.fileno()).st_size
        memory = _COPIES * size + _SPARE_BYTES
        isolated = confine(Limits(memory, _SECONDS + size // _BYTES_PER_SECOND, size + _HEADER_BYTES))
        try:
            return {"converted": convert(source, target, size, tied), "isolated": isolated}
        except MemoryError:
            raise ConstrictorError(
                f"it needs more memory than the {memory >> 20} MiB that a file of its size may take"
            ) from None


def refuse_old_torch() -> None:
    """Refuse to open anything with a reader of tensors that has known faults.

    Raises:
        ConstrictorError: an old torch.
    """
    import torch

    if torch.__version__ < _FIXED_TORCH:  # it compares as versions do
        raise ConstrictorError(
            f"torch {torch.__version__} reads pickles with known faults. Install {_FIXED_TORCH} or newer"
        )


def _rehearse() -> None:
    """Convert a pickle of each form, and refuse one, so that everything is imported before nothing can be."""
    import torch

    torch.set_num_threads(1)
    weight = torch.ones(2, 3)
    for zipped in (True, False):
        for content in ({"a": weight, "b": weight, "c": weight.T}, {"a": json.loads}):
            source = io.BytesIO()
            torch.save(content, source, _use_new_zipfile_serialization=zipped)
            size = source.tell()
            source.seek(0)
            try:
                convert(source, io.BytesIO(), size, [])
            except ConstrictorError:
                continue


def convert(source: IO[bytes], target: IO[bytes], size: int, tied: list[str]) -> dict[str, Any]:
    """Write the tensors of a pickle as safetensors, and compare what was written with what was read.

    Args:
        source: the pickle, as torch.save writes it.
        target: an empty file that can be read, too.
        size: bytes of the pickle, which its tensors cannot exceed.
        tied: patterns of the names to leave out where several have the same memory.

    Returns:
        the number of tensors, and the names that were left out with the name that has their tensor.

    Raises:
        ConstrictorError: the file holds anything but tensors with names, or is damaged.
        MemoryError: the limit.
    """
    from safetensors.torch import save

    tensors = _read(source)
    aliases = _aliases(tensors, tied)
    kept = {name: tensor for name, tensor in tensors.items() if name not in aliases}
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in kept.values())
    if claimed > size:
        raise ConstrictorError(f"its tensors would take {claimed} bytes and the file has {size}")
    try:
        target.write(save({name: _alone(tensor) for name, tensor in kept.items()}, metadata={"format": "pt"}))
        target.seek(0)
        _refuse_difference(tensors, aliases, target.read())
    except (ConstrictorError, MemoryError):
        raise
    except Exception as error:  # a name or a type that safetensors does not have
        raise ConstrictorError(f"its tensors cannot be written as safetensors ({_sentence(error)})") from None
    return {"tensors": len(tensors), "tied": aliases}


def _read(source: IO[bytes]) -> dict[str, Tensor]:
    import torch

    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file fails in dozens of ways
        if "allocate memory" in str(error):
            raise MemoryError from None
        raise ConstrictorError(_reason(error)) from None
    return _only_tensors(content)


def _reason(error: Exception) -> str:
    """Why torch refused a file, without its advice to open the file all the same."""
    text = str(error)
    if found := re.search(r"GLOBAL (\S+) (?:was not an allowed|whose module)", text):
        return f"it calls for '{found[1]}', and only what builds tensors is allowed"
    if "TorchScript" in text:
        return "it is a TorchScript archive, which holds code"
    if isinstance(error, EOFError | OSError):
        return "it is cut off"
    why = "it is no pickle of tensors" if isinstance(error, pickle.UnpicklingError) else _sentence(error)
    return f"it is damaged or not what torch.save writes ({why})"


def _sentence(error: Exception) -> str:
    return str(error).strip().partition(". ")[0] or type(error).__name__


def _only_tensors(content: object) -> dict[str, Tensor]:
    import torch

    if not isinstance(content, dict):
        raise ConstrictorError(f"it holds a {type(content).__name__} and should hold tensors by their names")
    if not content:
        raise ConstrictorError("it holds no tensors")
    for name, value in content.items():
        plain = type(value) in (torch.Tensor, torch.nn.Parameter) and not value.is_quantized
        if not isinstance(name, str) or not plain or value.layout != torch.strided or value.device.type != "cpu":
            raise ConstrictorError(f"its entry {name!r} ({type(value).__name__}) is no plain tensor with a name")
    return {name: value.detach() for name, value in content.items()}


def _aliases(tensors: dict[str, Tensor], tied: list[str]) -> dict[str, str]:
    """The names that share the memory of another, with that name: as in save_pretrained, tied ones give way."""
    by_memory: dict[Any, list[str]] = {}
    for name, tensor in tensors.items():
        if tensor.numel():
            place = tensor.untyped_storage().data_ptr(), tensor.storage_offset()
            by_memory.setdefault((*place, tensor.shape, tensor.stride(), tensor.dtype), []).append(name)
    found: dict[str, str] = {}
    for names in by_memory.values():
        first, *others = sorted(names, key=lambda name: (any(re.search(pattern, name) for pattern in tied), name))
        found |= dict.fromkeys(others, first)
    return found


def _alone(tensor: Tensor) -> Tensor:
    """A tensor with memory of its own, of which it fills all: safetensors writes no other."""
    import torch

    fills = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor if fills else tensor.clone(memory_format=torch.contiguous_format)


def _refuse_difference(tensors: dict[str, Tensor], aliases: dict[str, str], written: bytes) -> None:
    """Compare every tensor with what is in the file, bit for bit: equal bits are equal, NaN or not."""
    import torch
    from safetensors.torch import load

    found = load(written)
    for name, tensor in tensors.items():
        other = found.get(aliases.get(name, name))
        same = other is not None and (other.dtype, other.shape) == (tensor.dtype, tensor.shape)
        if other is None or not same or not torch.equal(_bits(other), _bits(tensor)):
            raise ConstrictorError(f"its tensor {name!r} was not written as it was read")


def _bits(tensor: Tensor) -> Tensor:
    import torch

    return tensor.contiguous().reshape(-1).view(torch.uint8)


if __name__ == "__main__":
    main()
