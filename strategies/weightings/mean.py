"""The plain mean: every update counts the same. No defence, the baseline of all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from .weighting import Weighting


@dataclass(frozen=True)
class Mean(Weighting):
    """Give each of m updates the weight 1/m."""

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return m equal weights, whatever the Gramian holds."""
        return np.full(len(gramian), 1 / len(gramian))
