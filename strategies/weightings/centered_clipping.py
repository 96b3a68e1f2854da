"""Centered clipping: the mean of the updates, each moved to within a radius of the centre.

Karimireddy, He, Jaggi, "Learning from history for Byzantine robust optimization" (ICML 2021). With
``c = sum_i q_i x_i``, a step of theirs is again a weighted mean of the updates::

    c <- c + 1/m sum_i s_i (x_i - c),  s_i = min(1, radius / |x_i - c|)
    q <- (1 - mean s) q + s / m
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from ..gramian import squared_distances
from .parts.iterated_mean import iterated_mean, medoid
from .weighting import Weighting


@dataclass(frozen=True)
class CenteredClipping(Weighting):
    """Clip updates around a centre that starts at the medoid and moves to their mean.

    The medoid, whose median distance to the others is smallest, takes the place of the last round's
    update, as weightings keep nothing between rounds. It withstands any minority, so there is no
    epsilon to choose.

    Parameters
    ----------
    radius : float, optional
        In units of the updates; above 0. By default the median distance from the centre, anew in every
        step, which a minority cannot move beyond the honest clients' distances.
    max_iterations : int, default 50
        Steps after which to stop in any case; at least 1.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    radius: float | None = None
    max_iterations: int = 50

    def __post_init__(self) -> None:
        require(self.radius is None or self.radius > 0, "radius", "above 0", self.radius)
        require(self.max_iterations >= 1, "max_iterations", "at least 1", self.max_iterations)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights of the updates in the last centre; 0 for what is out of all range."""
        return iterated_mean(
            gramian, _at_medoid, self._step, max_iterations=self.max_iterations, tolerance=1e-12
        )

    def _step(self, q: FloatArray, distances: FloatArray) -> FloatArray:
        radius = float(np.median(distances)) if self.radius is None else self.radius
        clipped = np.where(distances <= radius, 1.0, radius / np.maximum(distances, radius or 1.0))
        stepped: FloatArray = (1 - clipped.mean()) * q + clipped / len(q)
        return stepped


def _at_medoid(gramian: FloatArray) -> FloatArray:
    q = np.zeros(len(gramian))
    q[medoid(squared_distances(gramian))] = 1
    return q
