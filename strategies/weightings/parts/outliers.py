"""Outliers: updates much further out than all but f of the others reach.

`CoalitionFiltering` drops them; who is brought back, or vouched for, is pulled in to where they begin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...gramian import squared_distances
from .spectrum import centred

OUTLIER_DISTANCE = 2.5
"""Outliers are further out than this many times the innermost updates' largest distance."""

FAR_APART = 6.0
"""As `OUTLIER_DISTANCE`, of what honest updates never were: 4.9 at most over five kinds of noise."""

ALIKE = 1e-6
"""Distances of that fraction of the largest are rounding errors."""


def drop_outliers(gramian: FloatArray, max_outliers: int) -> NDArray[np.intp]:
    """Return which updates are not `OUTLIER_DISTANCE` out from the mean of the innermost.

    Innermost are all but ``max_outliers``: those nearest to the update whose ball around so many of them
    is smallest. Malicious updates cannot widen it: honest clients' own balls are candidates.
    """
    m = len(gramian)
    if max_outliers < 1:
        return np.arange(m)
    from_mean, reach = _from_innermost(gramian, m - max_outliers)
    outermost = np.argsort(-from_mean, kind="stable")[:max_outliers]
    return np.setdiff1d(np.arange(m), outermost[from_mean[outermost] > OUTLIER_DISTANCE * reach])


def far_apart(gramian: FloatArray, max_outliers: int) -> NDArray[np.bool_]:
    """Return which updates are `FAR_APART` from the mean of the innermost, all but ``max_outliers``."""
    from_mean, reach = _from_innermost(gramian, len(gramian) - max_outliers)
    far: NDArray[np.bool_] = from_mean > FAR_APART * reach
    return far


def num_far_apart(gramian: FloatArray, q: FloatArray) -> int:
    """Return how many updates count though they are `FAR_APART` from the mean of the innermost half.

    They are more than the weighting was told to withstand. 0 where half of the updates are all alike:
    then nothing says how far is far.
    """
    counted = np.flatnonzero(q)
    if len(counted) < 3:
        return 0
    inner = gramian[np.ix_(counted, counted)]
    from_mean, reach = _from_innermost(inner, len(counted) // 2 + 1)
    if reach <= ALIKE * from_mean.max():
        return 0
    return int((from_mean > FAR_APART * reach).sum())


def _from_innermost(gramian: FloatArray, number: int) -> tuple[FloatArray, float]:
    """Return each update's distance from the mean of so many innermost ones, and how far these reach."""
    distances = squared_distances(gramian)
    centre = int(np.argmin(np.partition(distances, number - 1, axis=1)[:, number - 1]))
    innermost = np.argsort(distances[centre], kind="stable")[:number]
    to_innermost = distances[:, innermost]
    scatter = float(to_innermost[innermost].mean()) / 2
    from_mean = np.sqrt(np.maximum(to_innermost.mean(axis=1) - scatter, 0.0))
    return from_mean, float(np.sort(from_mean)[number - 1])


def pulled_in(gramian: FloatArray, q: FloatArray) -> FloatArray:
    """Return what to multiply each update's offset from the q-mean with, so that it is no outlier.

    None is then longer than `OUTLIER_DISTANCE` times the offsets' median length under q.
    """
    distances = distances_from(gramian, q)
    order = np.argsort(distances, kind="stable")
    nearer = np.cumsum(q[order])
    median = distances[order][np.searchsorted(nearer, 0.5 * nearer[-1])]
    return drawn_in(distances, OUTLIER_DISTANCE * float(median))


def distances_from(gramian: FloatArray, q: FloatArray) -> FloatArray:
    """Return how far each update is from the q-mean."""
    distances: FloatArray = np.sqrt(np.maximum(np.diag(centred(gramian, q)), 0.0))
    return distances


def drawn_in(distances: FloatArray, reach: float) -> FloatArray:
    """Return what to multiply offsets of these lengths with, so that none is longer than ``reach``."""
    drawn: FloatArray = reach / np.maximum(distances, max(reach, np.finfo(np.float64).tiny))
    return drawn
