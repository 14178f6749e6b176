"""Scales and zero points of uniform quantization, ``x ~ scale * (q - zero_point)`` (Jacob et al., 2018, equation 1).

Written once for numpy and torch: both know the same functions by the same names. What is always zero gets the scale 1, as
in ONNX Runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

Array = TypeVar("Array", "np.ndarray", "Tensor")


def round_symmetric(library: Any, x: Array, axis: int | None, largest: int) -> tuple[Array, Array]:
    """Round numbers to int8 with the zero point 0.

    Args:
        library: ``numpy`` or ``torch``, whichever ``x`` is an array of.
        x: float32 of any shape.
        axis: the axis along which numbers share a scale; None for one scale in all.
        largest: largest absolute value of a rounded number, up to 127.

    Returns:
        int8 values in the shape of ``x``, and float32 scales in that shape with 1 in the place of each shared axis.

    >>> import numpy as np
    >>> values, scales = round_symmetric(np, np.array([[1.27, -0.5], [0, 0]], np.float32), axis=1, largest=127)
    >>> values.tolist(), scales.round(4).tolist()
    ([[127, -50], [0, 0]], [[0.009999999776482582], [1.0]])
    """
    axes = tuple(range(x.ndim)) if axis is None else axis
    scales = _usable(library, library.amax(library.abs(x), axis=axes, keepdims=True) / largest)
    values = library.clip(library.round(x / scales), -largest, largest)
    return library.asarray(values, dtype=library.int8), scales


def affine_parameters(library: Any, low: Any, high: Any, levels: int) -> tuple[Any, Any]:
    """Scale and zero point that map a range to the whole numbers from 0 to ``levels``.

    The range is widened to hold 0, which must be exact: it is what padding and ReLU give.

    Args:
        library: ``numpy`` or ``torch``.
        low: lower end of the range: for torch a tensor ``()``.
        high: upper end, likewise.
        levels: largest rounded number: 255 for 8 bits.

    Returns:
        The scale, and the zero point as a whole number of the same type.

    >>> import numpy as np
    >>> scale, zero_point = affine_parameters(np, -2.0, 253.0, 255)
    >>> float(scale), int(zero_point)
    (1.0, 2)
    """
    low, high = library.clip(low, None, 0), library.clip(high, 0, None)
    scale = _usable(library, (high - low) / levels)
    return scale, library.clip(library.round(-low / scale), 0, levels)


def _usable(library: Any, scales: Any) -> Any:
    """Scales by which a processor can divide in float32: 1 in the place of what is too close to zero."""
    return library.where(scales < library.finfo(library.float32).tiny, library.ones_like(scales), scales)
