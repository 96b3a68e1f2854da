"""What this library knows about NumPy arrays and their dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NDArrays = list[NDArray[Any]]
"""A model, or a client's update of it: one array for each of its parameters."""

LARGEST_NUMBER = 1e38
"""Beyond it, differences of float32 numbers overflow. No model that works holds such numbers."""


def is_floating(array: NDArray[Any]) -> bool:
    """Return whether an array holds floating-point numbers."""
    return array.dtype.kind == "f"


def wide_dtype(*arrays: NDArray[Any]) -> np.dtype[Any]:
    """Return the widest dtype among arrays, float32 at least."""
    return np.result_type(np.float32, *(array.dtype for array in arrays))


def difference(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Return ``first - second`` in float32 or wider: in float16 it might overflow."""
    return np.asarray(np.subtract(first, second, dtype=wide_dtype(first, second)))


def is_reasonable(array: NDArray[Any]) -> bool:
    """Return whether all numbers of an array are finite and within `LARGEST_NUMBER`."""
    if not array.size:
        return True
    # As Python floats: in float16, the limit itself would be infinity.
    return float(array.max()) <= LARGEST_NUMBER and float(array.min()) >= -LARGEST_NUMBER
