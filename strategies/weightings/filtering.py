"""Filtering: down-weight what lies far along the direction of largest variance until little is left.

Algorithm 2 of PAwBRoFL (Fernando, Xiong, Patel, Stoll); from Diakonikolas et al., "Being robust (in
high dimensions) can be practical" (ICML 2017) and Zhu et al., "Byzantine-robust federated learning
with optimal statistical rates" (AISTATS 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from ..epsilon import Epsilon, check_epsilon_or_auto
from .parts.duplicates import merge_duplicates
from .parts.inliers import max_malicious_among
from .parts.spectrum import top_direction
from .parts.threshold import stopping_threshold
from .weighting import Weighting


@dataclass(frozen=True)
class Filtering(Weighting):
    """Robust weights by iterated soft filtering.

    While ``||Cov_q||_2 > xi``: multiply each weight by ``1 - g_i / max g``, where ``g`` are the
    quasi-gradients, and normalise. The farthest update drops out in every step, so at most m - 1
    steps are taken.

    Parameters
    ----------
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5.
    xi : float, optional
        The covariance norm at which to stop, in squared units of the updates. With it, this is the
        paper's algorithm and nothing else. By default duplicates are merged first, and the
        threshold is estimated (`stopping_threshold`).
    max_iterations : int, optional
        Steps after which to stop in any case. By default ``2 f``, where f of the m clients may be
        malicious, as the authors do: with more, honest clients are removed.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    epsilon: Epsilon = 0.2
    xi: float | None = None
    max_iterations: int | None = None

    def __post_init__(self) -> None:
        check_epsilon_or_auto(self.epsilon)
        require(self.xi is None or self.xi >= 0, "xi", "at least 0", self.xi)
        countable = self.max_iterations is None or self.max_iterations >= 0
        require(countable, "max_iterations", "at least 0", self.max_iterations)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights that are left when the updates spread no more than honest ones."""
        f = max_malicious_among(gramian, self.epsilon)
        steps = 2 * f if self.max_iterations is None else self.max_iterations
        if self.xi is not None:
            return filtered(gramian, self.xi, steps)
        merged = merge_duplicates(gramian, f)
        xi = stopping_threshold(merged.gramian, merged.max_malicious)
        return filtered(merged.gramian, xi, steps) @ merged.merging


def filtered(gramian: FloatArray, xi: float, steps: int) -> FloatArray:
    """Return what Algorithm 2 leaves of equal weights after ``steps`` steps, or once xi is reached."""
    m = len(gramian)
    q, vector = np.full(m, 1 / m), np.zeros(m)
    for _ in range(min(steps, m - 1)):
        kept = np.flatnonzero(q)
        top = top_direction(gramian[np.ix_(kept, kept)], q[kept], vector[kept])
        vector[kept] = top.vector
        farthest = top.quasi_gradients.max()
        if top.eigenvalue <= xi or farthest == 0:
            break
        remaining = q[kept] * (1 - top.quasi_gradients / farthest)
        if remaining.sum() <= 0:
            break
        q[kept] = remaining / remaining.sum()
    return q
