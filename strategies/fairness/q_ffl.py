"""q-FFL, solved by q-FedAvg: clients of larger loss count more, by a power of the loss.

Li, Sanjabi, Beirami, Smith, "Fair resource allocation in federated learning" (ICLR 2020), algorithm 2.
It minimises ``sum_i F_i^(q + 1) / (q + 1)``, with a step length from an estimate of the local Lipschitz
constant of that, so that one client learning rate does for every q::

    Delta_i = L F_i^q g_i                                  L = 1 / learning_rate
    h_i     = q F_i^(q - 1) |L g_i|^2 + L F_i^q
    theta  <- theta - sum_i Delta_i / sum_i h_i
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from .fair_weighting import FairWeighting

LEAST_LOSS = 1e-10
"""Added to losses, as the authors' code does, so that a negative power exists."""


@dataclass(frozen=True)
class QFFL(FairWeighting):
    """Weights ``L F_i^q / sum_j h_j``. They sum to less than one: the step is shorter than the mean's.

    Parameters
    ----------
    q : float, default 1.0
        At least 0; 0 is federated averaging.
    learning_rate : float, default 0.05
        The clients' own, above 0.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    q: float = 1.0
    learning_rate: float = 0.05

    def __post_init__(self) -> None:
        require(0 <= self.q < math.inf, "q", "at least 0 and finite", self.q)
        require(
            0 < self.learning_rate < math.inf,
            "learning_rate",
            "above 0 and finite",
            self.learning_rate,
        )

    def _weights(
        self, state: FloatArray, gramian: FloatArray, losses: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        logarithms = np.log(np.maximum(losses, 0.0) + LEAST_LOSS)
        largest = float(logarithms.max())
        # Divided by the largest F^q, above and below the line, so that no power overflows.
        powers = np.exp(self.q * (logarithms - largest))
        squares = np.maximum(np.diag(gramian), 0.0)
        curvature = self.q * np.exp(np.minimum((self.q - 1) * logarithms - self.q * largest, 700.0))
        lengths = curvature * squares / self.learning_rate + powers
        weights: FloatArray = powers / lengths.sum()
        return weights, state
