"""Batches that do not fit in memory."""

from __future__ import annotations

import ctypes
import errno
import gc
import os

import torch

from constrictor.errors import ConstrictorError
from constrictor.progress import announce

# Messages of allocators without an error class of their own; oneDNN, the files that are mapped, C++.
_SIGNS = (
    *("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory", "CUDA out of memory"),
    *("could not create a primitive", os.strerror(errno.ENOMEM), "std::bad_alloc"),
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory did not suffice, on a GPU or on a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def split_finer(batch_size: int, parts: int) -> int:
    """Into how many parts a batch is split after it did not fit in ``parts``: in twice as many, if it is even.

    The parts are equal, so that their gradients' mean is that of the whole batch.

    Raises:
        ConstrictorError: if a part is a single example already.
    """
    size = batch_size // parts
    if size == 1:
        raise ConstrictorError(
            "the training does not fit in memory, not even with one example at a time. Set 'gradient_checkpointing: true' "
            "in the step, lower the task's 'max_length', or take a smaller model."
        )
    factor = next(number for number in range(2, size + 1) if size % number == 0)
    announce(
        f"out of memory with {size} examples per pass: continuing with {size // factor}, in {parts * factor} passes per batch "
        f"(of {batch_size} examples, as before)"
    )
    return parts * factor


def free() -> None:
    """Give back what a failed training held."""
    gc.collect()
    # glibc keeps what it has freed, for allocations of its own, and files could not be mapped into what is left.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
