"""The weighted winsorized mean: what lies outside most of the weight is drawn in before averaging.

For arrays that take no part in finding the robust weights, such as BatchNorm's running statistics: a
malicious client could send a harmless update, which earns weight, and beside it statistics of any
size. Each coordinate is therefore cut at the values that ``epsilon`` of the weight lies beyond on
either side (winsorizing, Tukey 1962), which bounds what such a client reaches by what others sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .updates import COORDINATES_AT_ONCE, FloatArray


def winsorized_mean(
    arrays: Sequence[NDArray[Any]], weights: FloatArray, epsilon: float
) -> NDArray[np.float64]:
    """Return the weighted mean of arrays, every coordinate cut at its weighted epsilon-quantiles.

    Parameters
    ----------
    arrays : sequence of m ndarrays
        One of each client, all of one shape, floating point and finite.
    weights : ndarray of shape (m,)
        Non-negative, not all zero. Clients of weight zero are not read.
    epsilon : float
        At least 0 and below 0.5; with 0 nothing is cut.

    Returns
    -------
    ndarray
        In the shape of one array; between the smallest and largest value of each coordinate.
    """
    counted = np.flatnonzero(weights)
    shares = weights[counted] / weights.sum()
    flat = [arrays[int(client)].reshape(-1) for client in counted]
    mean = np.empty(flat[0].size)
    for start in range(0, mean.size, COORDINATES_AT_ONCE):
        part = slice(start, start + COORDINATES_AT_ONCE)
        columns = np.stack([row[part] for row in flat]).astype(np.float64)
        mean[part] = shares @ _drawn_in(columns, shares, epsilon)
    return mean.reshape(arrays[0].shape)


def _drawn_in(columns: FloatArray, shares: FloatArray, epsilon: float) -> FloatArray:
    ascending = np.argsort(columns, axis=0, kind="stable")
    reached = np.cumsum(shares[ascending], axis=0)
    slack = 1e-12  # so that rounding in the sum decides nothing
    low = (reached < epsilon - slack).sum(axis=0)
    high = np.minimum((reached < 1 - epsilon - slack).sum(axis=0), len(shares) - 1)
    ordered = np.take_along_axis(columns, ascending, axis=0)
    coordinates = np.arange(columns.shape[1])
    drawn_in: FloatArray = np.clip(columns, ordered[low, coordinates], ordered[high, coordinates])
    return drawn_in
