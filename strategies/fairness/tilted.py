"""Tilted empirical risk minimisation (TERM): clients weighted by the exponential of their loss.

Li, Beirami, Sanjabi, Smith, "Tilted empirical risk minimization" (ICLR 2021), equation (2) over clients:
``log(mean_i exp(t F_i)) / t`` has the gradient ``sum_i w_i grad F_i`` with::

    w_i = exp(t F_i) / sum_j exp(t F_j)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from .fair_weighting import FairWeighting


@dataclass(frozen=True)
class TiltedERM(FairWeighting):
    """Weights ``softmax(t F)``.

    Parameters
    ----------
    t : float, default 1.0
        Above 0 towards the worst-served client, below 0 towards the best; 0 is federated averaging.

    Raises
    ------
    ValueError
        For a t that is not finite.
    """

    t: float = 1.0

    def __post_init__(self) -> None:
        require(math.isfinite(self.t), "t", "finite", self.t)

    def _weights(
        self, state: FloatArray, gramian: FloatArray, losses: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        foremost = losses.max() if self.t >= 0 else losses.min()
        with np.errstate(over="ignore"):  # to where exp is 0
            exponentials = np.exp(self.t * (losses - foremost))
        weights: FloatArray = exponentials / exponentials.sum()
        return weights, state
