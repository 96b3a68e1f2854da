"""No-Regret: multiplicative weights against the direction of largest variance, no client above a cap.

Algorithm 1 of PAwBRoFL (Fernando, Xiong, Patel, Stoll); from Hopkins, Li, Zhang, "Robust and
heavy-tailed mean estimation made simple, via regret minimization" (NeurIPS 2020), Zhu, Jiao,
Steinhardt, "Robust estimation via generalized quasi-gradients" (Information and Inference, 2022) and
Zhu et al., "Byzantine-robust federated learning with optimal statistical rates" (AISTATS 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..gramian import squared_distances
from ..updates import FloatArray
from .parts.capped_simplex import project_onto_capped_simplex
from .parts.duplicates import heard_once
from .parts.outliers import num_malicious
from .parts.spectrum import top_direction
from .parts.threshold import stopping_threshold
from .weighting import Epsilon, Weighting, check_epsilon_or_auto


@dataclass(frozen=True)
class NoRegret(Weighting):
    """Robust weights by multiplicative updates on the capped simplex.

    Updates far from more than ``2 epsilon m`` others are dropped. Then, while ``||Cov_q||_2 > xi``:
    multiply each weight by ``1 - step g_i``, where ``g`` are the quasi-gradients, and project onto
    ``{q : sum q = 1, q_i <= 1 / ((1 - epsilon) m')}`` in relative entropy.

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
        if self.xi is not None and not self.xi >= 0:
            raise ValueError(f"xi must be at least 0, got {self.xi}")
        if not 0 < self.eta <= 1:
            raise ValueError(f"eta must be above 0 and at most 1, got {self.eta}")
        if self.max_iterations < 0:
            raise ValueError(f"max_iterations must be at least 0, got {self.max_iterations}")

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights; 0 for the updates that were dropped at the start."""
        f = num_malicious(self.epsilon, gramian)
        if self.xi is not None:
            epsilon = f / len(gramian) if self.epsilon == "auto" else self.epsilon
            return self._without_regret(gramian, epsilon, self.xi)
        heard = heard_once(gramian, f)
        xi = stopping_threshold(heard.gramian, heard.most_malicious)
        epsilon = heard.most_malicious / len(heard.gramian)
        return self._without_regret(heard.gramian, epsilon, xi) @ heard.to_voices

    def _without_regret(self, gramian: FloatArray, epsilon: float, xi: float) -> FloatArray:
        near = not_far_from_most(gramian, epsilon)
        inner = gramian[np.ix_(near, near)]
        q, vector = np.full(len(near), 1 / len(near)), None
        for _ in range(self.max_iterations):
            eigenvalue, quasi_gradients, vector = top_direction(inner, q, vector)
            farthest = quasi_gradients.max()
            if eigenvalue <= xi or farthest == 0:
                break
            stepped = q * (1 - self.eta * quasi_gradients / farthest)
            q = project_onto_capped_simplex(stepped, 1 / ((1 - epsilon) * len(near)))
        weights = np.zeros(len(gramian))
        weights[near] = q
        return weights


def not_far_from_most(gramian: FloatArray, epsilon: float) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the updates that are far from at most ``2 epsilon m`` others (Algorithm 1, line 3).

    Far is more than twice the distance within which the median update has ``(1 - epsilon) m``
    neighbours, itself included: at most ``epsilon m`` malicious clients cannot move that median
    beyond honest clients' own.
    """
    m = len(gramian)
    distances = np.sqrt(squared_distances(gramian))
    neighbours = min(m, int(np.ceil((1 - epsilon) * m)))
    usual = float(np.median(np.sort(distances, axis=1)[:, neighbours - 1]))
    far_from = (distances > 2 * usual).sum(axis=1)
    near = np.flatnonzero(far_from <= 2 * epsilon * m)
    return near if len(near) else np.arange(m)
