"""The geometric median, by smoothed Weiszfeld steps.

Pillutla, Kakade, Harchaoui, "Robust aggregation for federated learning" (IEEE Transactions on Signal
Processing, 2022). The median is a weighted mean of the updates, with weights inverse to their distance
from it, so each step needs the Gramian only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..updates import FloatArray
from .parts.spectrum import distances_from_mean, of_comparable_length
from .weighting import Weighting


@dataclass(frozen=True)
class GeometricMedian(Weighting):
    """The weights whose mean minimises the sum of the distances to all updates.

    It withstands any minority, so there is no epsilon to choose.

    Parameters
    ----------
    smoothing : float, default 1e-6
        Distances below this fraction of the median distance count as that; above 0.
    max_iterations : int, default 200
        Steps after which to stop in any case; at least 1.
    tolerance : float, default 1e-12
        Stop where no weight changes by more than this.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    smoothing: float = 1e-6
    max_iterations: int = 200
    tolerance: float = 1e-12

    def __post_init__(self) -> None:
        if not self.smoothing > 0:
            raise ValueError(f"smoothing must be above 0, got {self.smoothing}")
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations must be at least 1, got {self.max_iterations}")
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance must be at least 0, got {self.tolerance}")

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return weights inverse to the distances from the median; 0 for what is out of all range."""
        comparable = of_comparable_length(gramian)
        weights = np.zeros(len(gramian))
        weights[comparable] = self._weiszfeld(gramian[np.ix_(comparable, comparable)])
        return weights

    def _weiszfeld(self, gramian: FloatArray) -> FloatArray:
        m = len(gramian)
        q = np.full(m, 1 / m)
        for _ in range(self.max_iterations):
            distances = distances_from_mean(gramian, q)
            floor = self.smoothing * float(np.median(distances))
            if not floor > 0:  # half of the updates are the same, and are the median
                break
            inverse = floor / np.maximum(distances, floor)
            stepped = inverse / inverse.sum()
            moved = float(np.abs(stepped - q).max())
            q = stepped
            if moved <= self.tolerance:
                break
        return q
