"""The weighted winsorized mean: what lies outside most clients' values is drawn in before averaging.

For arrays that take no part in finding the robust weights, such as BatchNorm's running statistics: a
malicious client could send a harmless update, which earns weight, and beside it statistics of any
size. So where f of m clients may be malicious, the f smallest and the f largest values of each
coordinate are replaced by their nearest neighbours (winsorizing, Tukey 1962): then all of them lie
between values that honest clients sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray
from .epsilon import max_malicious
from .updates import COORDINATES_AT_ONCE


def winsorized_mean(arrays: Sequence[NDArray[Any]], weights: FloatArray, epsilon: float) -> FloatArray:
    """Return the weighted mean of arrays, the f extreme values of a coordinate drawn in at either end.

    Parameters
    ----------
    arrays : sequence of m ndarrays
        One of each client, all of one shape, floating point and finite.
    weights : ndarray of shape (m,)
        Non-negative, not all zero.
    epsilon : float
        The fraction of malicious clients, which gives f; at least 0 and below 0.5.

    Returns
    -------
    ndarray
        In the shape of one array.
    """
    shares = weights / weights.sum()
    drawn_in = max_malicious(epsilon, len(arrays))
    flat = [array.reshape(-1) for array in arrays]
    mean = np.empty(flat[0].size)
    for start in range(0, mean.size, COORDINATES_AT_ONCE):
        part = slice(start, start + COORDINATES_AT_ONCE)
        columns = np.stack([row[part] for row in flat]).astype(np.float64)
        ordered = np.sort(columns, axis=0)
        columns = np.clip(columns, ordered[drawn_in], ordered[-1 - drawn_in])
        mean[part] = shares @ columns
    return mean.reshape(arrays[0].shape)
