"""Between updates, as clients send them, and the vectors of `attacks.vectors`.

Only floating-point arrays are part of the vector: counters, such as BatchNorm's, are sent as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .knowledge import Knowledge, Update
from .vectors import Vector


def as_vector(update: Update) -> Vector:
    """Return an update's floating-point arrays as one float64 vector of shape (d,)."""
    flat = [np.asarray(array, dtype=np.float64).ravel() for array in update if _is_floating(array)]
    return np.concatenate(flat) if flat else np.empty(0)


def in_form_of(vector: Vector, update: Update) -> Update:
    """Return a vector in the shapes and dtypes of an update, cut at the largest finite numbers."""
    arrays, start = [], 0
    for array in update:
        if not _is_floating(array):
            arrays.append(array)
            continue
        largest = float(np.finfo(array.dtype).max)
        part = np.clip(vector[start : start + array.size], -largest, largest)
        arrays.append(part.reshape(array.shape).astype(array.dtype))
        start += array.size
    return arrays


def known_updates(knowledge: Knowledge) -> Vector:
    """Return the honest updates that the attackers know, as rows of an (n, d) array."""
    return np.stack([as_vector(known.update) for known in knowledge.honest_trainings()])


def scaled(update: Update, scale: float) -> Update:
    """Return a multiple of an update, counters included, in its dtypes."""
    return [(scale * array).astype(array.dtype) for array in update]


def _is_floating(array: NDArray[np.generic]) -> bool:
    return np.issubdtype(array.dtype, np.floating)
