"""Which updates look malicious, and so how many: outliers and coalitions, once duplicates are merged.

`CoalitionFiltering` drops them, and ``epsilon="auto"`` counts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...epsilon import Epsilon, max_malicious
from ...gramian import squared_distances
from .coalition import most_harmful_coalition
from .duplicates import MergedDuplicates, merge_duplicates
from .least_spread import least_spread
from .spectrum import centred

OUTLIER_DISTANCE = 2.5
"""Outliers are further out than this many times the innermost updates' largest distance."""

STANDS_OUT = 1.5
"""A coalition does so many times as much harm as the most harmful group among the clients left.

If another does as much, honest clients come in groups, and neither is left out.
"""

FAR_APART = 6.0
"""As `OUTLIER_DISTANCE`, of what honest updates never were: 4.9 at most over five kinds of noise."""

ALIKE = 1e-6
"""Distances of that fraction of the largest are rounding errors."""

MAX_AUTO_EPSILON = 0.4
"""The fraction up to which ``epsilon="auto"`` looks for malicious clients.

Cut in halves, a fifth of 90 draws of even honest noise looked like two groups; at 0.4 3% did.
"""


@dataclass(frozen=True)
class Inliers:
    """What is left without outliers and without a coalition.

    Attributes
    ----------
    indices : ndarray of int
        Which of the merged updates are left, ascending.
    gramian : ndarray
        Their inner products.
    robust : ndarray
        Their weights of least spread.
    """

    indices: NDArray[np.intp]
    gramian: FloatArray
    robust: FloatArray


def find_inliers(merged: MergedDuplicates, f: int) -> Inliers:
    """Leave out outliers and a coalition.

    Up to f outliers are left out, whatever duplicates were merged: honest outliers cost little,
    malicious ones anything. A coalition must fit into what the duplicates left of that number.
    """
    n = len(merged.gramian)
    near = drop_outliers(merged.gramian, min(f, (n - 1) // 2))
    left = max(merged.max_malicious - (n - len(near)), 0)
    cap = 1 / (len(near) - left)
    gramian = merged.gramian[np.ix_(near, near)]
    inliers = Inliers(near, gramian, least_spread(gramian, cap))
    coalition = most_harmful_coalition(gramian, left, inliers.robust)
    if not coalition.harm:
        return inliers
    others = np.delete(np.arange(len(near)), coalition.members)
    without = gramian[np.ix_(others, others)]
    robust_without = least_spread(without, cap)
    next_one = most_harmful_coalition(without, left, robust_without)
    if coalition.harm <= STANDS_OUT * next_one.harm:
        return inliers
    return Inliers(near[others], without, robust_without)


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


def max_malicious_among(gramian: FloatArray, epsilon: Epsilon) -> int:
    """Return f, how many of these updates are taken to be malicious at most.

    For "auto" as many as look malicious where up to `MAX_AUTO_EPSILON` of them might be: duplicates
    beyond one of a group, outliers and a coalition. Malicious clients who look like none of these are
    not counted.
    """
    m = len(gramian)
    if epsilon != "auto":
        return max_malicious(epsilon, m)
    f = max_malicious(MAX_AUTO_EPSILON, m)
    inliers = find_inliers(merge_duplicates(gramian, f), f)
    return min(m - len(inliers.indices), f)
