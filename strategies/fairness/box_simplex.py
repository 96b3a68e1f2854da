"""Euclidean projection on weights that sum to one, each between two bounds."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray


def project_onto_box_simplex(point: FloatArray, low: float = 0.0, high: float = 1.0) -> FloatArray:
    """Return the point of ``{w : sum w = 1, low <= w_i <= high}`` nearest to another.

    It is ``clip(point - shift, low, high)`` for the shift at which that sums to one. The sum is
    piecewise linear in the shift, with corners where a coordinate meets a bound, so the shift is exact.

    Parameters
    ----------
    point : ndarray of shape (m,)
        Finite.
    low, high : float
        ``m low <= 1 <= m high``.
    """
    corners = np.sort(np.concatenate([point - high, point - low]))
    sums = np.clip(point - corners[:, None], low, high).sum(axis=1)  # falls from m high to m low
    right = min(int((sums > 1).sum()), len(corners) - 1)
    left = max(right - 1, 0)
    fall = sums[left] - sums[right]
    share = (sums[left] - 1) / fall if fall > 0 else 0.0
    shift = corners[left] + share * (corners[right] - corners[left])
    projected: FloatArray = np.clip(point - shift, low, high)
    return projected
