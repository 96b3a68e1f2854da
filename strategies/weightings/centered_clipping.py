"""Centered clipping: the mean of the updates, each moved to within a radius of the centre.

Karimireddy, He, Jaggi, "Learning from history for Byzantine robust optimization" (ICML 2021). With
``c = sum_i q_i x_i``, a step of theirs is again a weighted mean of the updates::

    c <- c + 1/m sum_i s_i (x_i - c),  s_i = min(1, radius / |x_i - c|)
    q <- (1 - mean s) q + s / m
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..gramian import squared_distances
from ..updates import FloatArray
from .parts.spectrum import distances_from_mean, medoid, of_comparable_length
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
        if self.radius is not None and not self.radius > 0:
            raise ValueError(f"radius must be above 0, got {self.radius}")
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations must be at least 1, got {self.max_iterations}")

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights of the updates in the last centre; 0 for what is out of all range."""
        comparable = of_comparable_length(gramian)
        weights = np.zeros(len(gramian))
        weights[comparable] = self._clipped(gramian[np.ix_(comparable, comparable)])
        return weights

    def _clipped(self, gramian: FloatArray) -> FloatArray:
        m = len(gramian)
        q = np.zeros(m)
        q[medoid(squared_distances(gramian))] = 1
        for _ in range(self.max_iterations):
            distances = distances_from_mean(gramian, q)
            radius = float(np.median(distances)) if self.radius is None else self.radius
            clipped = np.where(distances <= radius, 1.0, radius / np.maximum(distances, radius or 1.0))
            stepped = (1 - clipped.mean()) * q + clipped / m
            moved = float(np.abs(stepped - q).max())
            q = stepped
            if moved <= 1e-12:
                break
        return q
