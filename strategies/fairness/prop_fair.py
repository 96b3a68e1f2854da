"""PropFair: proportional fairness of what clients gain over a baseline loss.

Zhang, Malekmohammadi, Chen, Yu, "Proportional fairness in federated learning" (TMLR 2023): maximise
``sum_i log(M - F_i)``, whose gradient weighs client i by ``1 / (M - F_i)``. Above ``M - epsilon`` the
logarithm is continued by its tangent::

    w_i ~ 1 / max(M - F_i, epsilon)                        here normalised to sum to one
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from .fair_weighting import FairWeighting


@dataclass(frozen=True)
class PropFair(FairWeighting):
    """Weights ``1 / max(M - F_i, epsilon)``, normalised; no two differ by more than the bound allows.

    Parameters
    ----------
    baseline : float, default 5.0
        M, the loss that counts as not being served at all; above 0. With ``M -> inf`` it is federated
        averaging.
    least_gain : float, default 0.2
        The paper's epsilon, above 0.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    baseline: float = 5.0
    least_gain: float = 0.2

    def __post_init__(self) -> None:
        for name in ("baseline", "least_gain"):
            value = getattr(self, name)
            require(0 < value < math.inf, name, "above 0 and finite", value)

    def _weights(
        self, state: FloatArray, gramian: FloatArray, losses: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        gains = np.maximum(self.baseline - losses, self.least_gain)
        inverse = gains.min() / gains
        weights: FloatArray = inverse / inverse.sum()
        return weights, state
