"""RFA: the geometric median, by smoothed Weiszfeld steps.

Pillutla, Kakade, Harchaoui, "Robust aggregation for federated learning" (IEEE Transactions on Signal
Processing, 2022). The median is a weighted mean of the updates, with weights inverse to their distance
from it, so each step needs the Gramian only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from .mean import Mean
from .parts.iterated_mean import iterated_mean
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
        require(self.smoothing > 0, "smoothing", "above 0", self.smoothing)
        require(self.max_iterations >= 1, "max_iterations", "at least 1", self.max_iterations)
        require(self.tolerance >= 0, "tolerance", "at least 0", self.tolerance)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return weights inverse to the distances from the median; 0 for what is out of all range."""
        return iterated_mean(
            gramian,
            Mean(),
            self._weiszfeld_step,
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
        )

    def _weiszfeld_step(self, q: FloatArray, distances: FloatArray) -> FloatArray:
        floor = self.smoothing * float(np.median(distances))
        if not floor > 0:  # half of the updates are the same, and are the median
            return q
        inverse = floor / np.maximum(distances, floor)
        stepped: FloatArray = inverse / inverse.sum()
        return stepped
