"""Mean shift: clusters around the points where a flat kernel's mean no longer moves.

Comaniciu, Meer, "Mean shift: a robust approach toward feature space analysis" (IEEE PAMI 2002), and the
usual estimate of the bandwidth: the mean distance to the furthest of the nearest half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray

MAX_STEPS = 300
NO_CLUSTER = -1
"""The number of a point that is nearer than the bandwidth to no centre."""


def estimated_bandwidth(points: FloatArray, quantile: float = 0.5) -> float:
    """Return the mean over points of the distance within which a share of all, itself included, is."""
    number = max(int(len(points) * quantile), 1)
    distances = np.linalg.norm(points[:, None] - points[None, :], axis=-1)
    return float(np.partition(distances, number - 1, axis=1)[:, number - 1].mean())


def mean_shift(points: FloatArray, bandwidth: float) -> NDArray[np.intp]:
    """Number the clusters of points, from 0; those nearer than the bandwidth to no centre are none.

    Every point moves to the mean of all points within the bandwidth until it moves no more. Where
    several end nearer than the bandwidth to each other, the one with most points around it stays.

    Parameters
    ----------
    points : ndarray of shape (n, k)
    bandwidth : float
        0 puts points together that are the same.
    """
    reach = max(bandwidth, 1e-3 * float(np.abs(points).max(initial=0.0)), 1e-12)
    moved, around, moving = points.copy(), np.zeros(len(points)), np.arange(len(points))
    for _ in range(MAX_STEPS):
        near = np.linalg.norm(moved[moving, None] - points[None, :], axis=-1) <= reach
        around[moving] = near.sum(axis=1)
        means = near @ points / around[moving, None]
        shifts = np.linalg.norm(means - moved[moving], axis=1)
        moved[moving] = means
        moving = moving[shifts > 1e-3 * reach]
        if not len(moving):
            break
    centres: list[FloatArray] = []
    for i in np.lexsort([*-moved.T[::-1], -around]):
        if all(np.linalg.norm(moved[i] - centre) > reach for centre in centres):
            centres.append(moved[i])
    distances = np.linalg.norm(points[:, None] - np.array(centres)[None, :], axis=-1)
    nearest = distances.argmin(axis=1)
    return np.where(distances.min(axis=1) <= reach, nearest, NO_CLUSTER)
