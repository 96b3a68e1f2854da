"""No-Regret: multiplicative weights against the direction of largest variance, no client above a cap.

Algorithm 1 of PAwBRoFL (Fernando, Xiong, Patel, Stoll); from Hopkins, Li, Zhang, "Robust and
heavy-tailed mean estimation made simple, via regret minimization" (NeurIPS 2020), Zhu, Jiao,
Steinhardt, "Robust estimation via generalized quasi-gradients" (Information and Inference, 2022) and
Zhu et al., "Byzantine-robust federated learning with optimal statistical rates" (AISTATS 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..checks import require
from ..epsilon import Epsilon, check_epsilon_or_auto
from ..gramian import squared_distances
from .parts.capped_simplex import project_onto_capped_simplex
from .parts.duplicates import merge_duplicates
from .parts.inliers import max_malicious_among
from .parts.spectrum import top_direction
from .parts.threshold import stopping_threshold
from .weighting import Weighting


@dataclass(frozen=True)
class NoRegret(Weighting):
    """Robust weights by multiplicative updates on the capped simplex.

    f of m updates may be malicious. Those far from more than ``2 f`` others are dropped; m' are left.
    Then, while ``||Cov_q||_2 > xi``: multiply each weight by ``1 - step g_i``, where ``g`` are the
    quasi-gradients, and project onto ``{q : sum q = 1, q_i <= 1 / ((1 - f / m) m')}`` in relative
    entropy.

    Parameters
    ----------
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5.
    xi : float, optional
        The covariance norm at which to stop, in squared units of the updates. With it, this is the
        paper's algorithm and nothing else. By default duplicates are merged first, and the
        threshold is estimated (`stopping_threshold`).
    eta : float, default 0.1
        Step size as a fraction of the largest quasi-gradient's inverse; above 0, at most 1.
    max_iterations : int, default 100
        Steps after which to stop in any case.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    epsilon: Epsilon = 0.2
    xi: float | None = None
    eta: float = 0.1
    max_iterations: int = 100

    def __post_init__(self) -> None:
        check_epsilon_or_auto(self.epsilon)
        require(self.xi is None or self.xi >= 0, "xi", "at least 0", self.xi)
        require(0 < self.eta <= 1, "eta", "above 0 and at most 1", self.eta)
        require(self.max_iterations >= 0, "max_iterations", "at least 0", self.max_iterations)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights; 0 for the updates that were dropped at the start."""
        f = max_malicious_among(gramian, self.epsilon)
        if self.xi is not None:
            return self._without_regret(gramian, f, self.xi)
        merged = merge_duplicates(gramian, f)
        xi = stopping_threshold(merged.gramian, merged.max_malicious)
        return self._without_regret(merged.gramian, merged.max_malicious, xi) @ merged.merging

    def _without_regret(self, gramian: FloatArray, f: int, xi: float) -> FloatArray:
        near = prune(gramian, f)
        inner = gramian[np.ix_(near, near)]
        cap = 1 / ((1 - f / len(gramian)) * len(near))
        q, vector = np.full(len(near), 1 / len(near)), None
        for _ in range(self.max_iterations):
            eigenvalue, quasi_gradients, vector = top_direction(inner, q, vector)
            farthest = quasi_gradients.max()
            if eigenvalue <= xi or farthest == 0:
                break
            stepped = q * (1 - self.eta * quasi_gradients / farthest)
            q = project_onto_capped_simplex(stepped, cap)
        weights = np.zeros(len(gramian))
        weights[near] = q
        return weights


def prune(gramian: FloatArray, f: int) -> NDArray[np.intp]:
    """Return the updates that are far from at most ``2 f`` others (Algorithm 1, line 3).

    Far is more than twice the distance within which the median update has ``m - f`` neighbours, itself
    included: f malicious clients cannot move that median beyond honest clients' own.
    """
    m = len(gramian)
    distances = np.sqrt(squared_distances(gramian))
    usual = float(np.median(np.sort(distances, axis=1)[:, m - f - 1]))
    far_from = (distances > 2 * usual).sum(axis=1)
    near = np.flatnonzero(far_from <= 2 * f)
    return near if len(near) else np.arange(m)
