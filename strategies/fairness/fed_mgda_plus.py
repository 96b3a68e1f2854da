"""FedMGDA+: a common descent direction of all clients, of updates normalised to one length.

Hu, Shaloudegi, Zhang, Yu, "Federated learning meets multi-objective optimization" (IEEE TNSE 2022),
algorithm 1::

    lambda = argmin |sum_i lambda_i g_i / |g_i||^2   over  sum lambda = 1, |lambda_i - 1/m| <= epsilon
    theta <- theta - step * sum_i lambda_i g_i / |g_i|

The normalisation bounds what one client can do; no loss is used. The paper tunes the server's step;
here it is the median length of the updates, so that clients who agree move the model as far as they do
under federated averaging.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from ..gramian import lengths_of
from .box_simplex import project_onto_box_simplex
from .fair_weighting import FairWeighting

STEPS = 2000
"""Of accelerated projected gradients, at most; some hundred are usual."""

TOLERANCE = 1e-9
"""How far the square of the norm may be from its minimum, where all updates have length one."""


@dataclass(frozen=True)
class FedMGDAPlus(FairWeighting):
    """Weights of the shortest vector in the hull of the normalised updates, near to equal weights.

    Parameters
    ----------
    epsilon : float, default 0.1
        How far a weight may be from ``1 / m``, before the normalisation is undone; between 0 and 1. 0 is
        the mean of normalised updates, 1 is MGDA.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    uses_losses: ClassVar[bool] = False
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        require(0 <= self.epsilon <= 1, "epsilon", "between 0 and 1", self.epsilon)

    def _weights(
        self, state: FloatArray, gramian: FloatArray, losses: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        lengths = lengths_of(gramian)
        moving = lengths > 0
        if not moving.any():
            return np.full(len(lengths), 1 / len(lengths)), state
        inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=moving)
        cosines = gramian * inverse[:, None] * inverse[None, :]
        m = len(lengths)
        low, high = max(1 / m - self.epsilon, 0.0), min(1 / m + self.epsilon, 1.0)
        mixture = shortest_mixture(cosines, low, high)
        return mixture * inverse * float(np.median(lengths[moving])), state


def shortest_mixture(gramian: FloatArray, low: float, high: float) -> FloatArray:
    """Return the weights w in a box, summing to one, of least ``w^T K w``.

    Accelerated projected gradients (Beck, Teboulle, 2009) with restarts, until the duality gap is below
    `TOLERANCE` times the largest diagonal entry.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Positive semi-definite.
    low, high : float
        ``m low <= 1 <= m high``.
    """
    m = len(gramian)
    best = point = np.full(m, 1 / m)
    steepest = float(np.linalg.eigvalsh(gramian)[-1])
    if not steepest > 0:
        return best
    momentum = 1.0
    for _ in range(STEPS):
        if duality_gap(gramian, best, low, high) <= TOLERANCE * float(np.diag(gramian).max()):
            break
        new = project_onto_box_simplex(point - gramian @ point / steepest, low, high)
        if float((point - new) @ (new - best)) > 0:
            momentum = 1.0
        # The paper's sequence; as restarts and the gap decide, another that grows does as well.
        following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        point = new + (momentum - 1) / following * (new - best)
        best, momentum = new, following
    return best


def duality_gap(gramian: FloatArray, weights: FloatArray, low: float, high: float) -> float:
    """Return by how much at most ``w^T K w`` exceeds its minimum over the box (Frank-Wolfe's gap)."""
    gradient = 2 * gramian @ weights
    best = np.full(len(weights), low)
    left = 1 - low * len(weights)
    for i in np.argsort(gradient, kind="stable"):
        best[i] += min(left, high - low)
        left -= min(left, high - low)
    return float(gradient @ (weights - best))
