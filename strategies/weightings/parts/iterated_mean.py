"""A mean of the updates that is moved, step by step, until it stays where it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...gramian import squared_distances
from .spectrum import centred


def iterated_mean(
    gramian: FloatArray,
    start: Callable[[FloatArray], FloatArray],
    step: Callable[[FloatArray, FloatArray], FloatArray],
    *,
    max_iterations: int,
    tolerance: float,
) -> FloatArray:
    """Return the weights of the last mean; 0 for updates that are not `of_comparable_length`.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    start : callable
        Maps the Gramian of those of comparable length to the first mean's weights.
    step : callable
        Maps a mean's weights, and the updates' distances from it, to the next one's weights.
    max_iterations : int
        Steps after which to stop in any case.
    tolerance : float
        Stop where no weight changes by more than this.
    """
    comparable = of_comparable_length(gramian)
    inner = gramian[np.ix_(comparable, comparable)]
    q = start(inner)
    for _ in range(max_iterations):
        distances = np.sqrt(np.maximum(np.diag(centred(inner, q)), 0.0))
        previous, q = q, step(q, distances)
        if float(np.abs(q - previous).max()) <= tolerance:
            break
    weights = np.zeros(len(gramian))
    weights[comparable] = q
    return weights


def medoid(distances: FloatArray) -> int:
    """Return the update whose median distance to the others is smallest."""
    return int(np.argmin(np.median(distances, axis=1)))


def of_comparable_length(gramian: FloatArray) -> NDArray[np.intp]:
    """Return the updates that are not so far out that rounding errors of theirs swamp the others.

    Those within 100,000 times the median distance from the medoid: beyond, what is left of the others'
    distances after centring has fewer than six digits.
    """
    distances = np.sqrt(squared_distances(gramian))
    from_medoid = distances[medoid(distances)]
    return np.flatnonzero(from_medoid <= 1e5 * np.median(from_medoid))
