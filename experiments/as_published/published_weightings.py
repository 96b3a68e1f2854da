"""The robust weightings as the authors' code computes them.

The code that accompanies the paper deviates from Algorithms 1 and 2 in ways that change results:

- it stops at ``||Cov||_2 <= sqrt(expansion) sigma``, and after ``2 floor(epsilon m)`` steps;
- No-Regret drops the ``ceil(epsilon m)`` updates of highest Krum score instead of those far from
  many, takes steps of half the inverse squared diameter, and always puts the largest weight at the
  cap, whether or not it exceeds it.

Aggregate with ``block_size=1000`` to have the rest of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from strategies import Weighting
from strategies.arrays import FloatArray
from strategies.gramian import squared_distances
from strategies.weightings.filtering import filtered
from strategies.weightings.multi_krum import krum_scores
from strategies.weightings.parts.spectrum import top_direction


@dataclass(frozen=True)
class _Published(Weighting):
    """What Filtering and No-Regret of the authors' code have in common.

    Parameters
    ----------
    epsilon : float
        The assumed fraction of malicious clients.
    sigma, expansion : float
        Stop at a covariance norm of ``sqrt(expansion) sigma``.
    """

    epsilon: float = 0.2
    sigma: float = 1e-5
    expansion: float = 20

    @property
    def threshold(self) -> float:
        """The covariance norm at which they stop."""
        return float(np.sqrt(self.expansion) * self.sigma)


class PublishedFiltering(_Published):
    """Filtering as the authors' code computes it."""

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights that are left at the threshold, or after the last step."""
        steps = 2 * int(self.epsilon * len(gramian))
        return filtered(gramian, self.threshold, steps)


class PublishedNoRegret(_Published):
    """No-Regret as the authors' code computes it."""

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights, zero for the updates that the Krum scores dropped."""
        distances = squared_distances(gramian)
        dropped = int(np.ceil(self.epsilon * len(gramian)))
        scores = krum_scores(np.sqrt(distances), dropped)
        kept = np.sort(np.argsort(scores, kind="stable")[: len(gramian) - dropped])
        inner, diameter = gramian[np.ix_(kept, kept)], distances[np.ix_(kept, kept)].max()
        m = len(kept)
        q, cap = np.ones(m), 1 / ((1 - self.epsilon) * m)
        for _ in range(int(2 * self.epsilon * m)):
            eigenvalue, quasi_gradients, _ = top_direction(inner, q / q.sum())
            if eigenvalue <= self.threshold:
                break
            q = _force_to_cap(q * (1 - 0.5 * quasi_gradients / diameter), cap)
        weights = np.zeros(len(gramian))
        weights[kept] = q / q.sum()
        return weights


def _force_to_cap(weights: FloatArray, cap: float) -> FloatArray:
    """Put the k >= 1 largest weights at the cap and scale the rest to sum to one.

    Of all k that leave no scaled weight above the cap, the one of least ``KL(weights || result)``.
    """
    descending = np.argsort(weights, kind="stable")[::-1]
    best, least = None, np.inf
    for k in range(1, len(weights)):
        left = 1 - k * cap
        if left <= 0:
            break
        candidate = weights.copy()
        candidate[descending[:k]] = cap
        candidate[descending[k:]] *= left / weights[descending[k:]].sum()
        if candidate[descending[k]] > cap:
            continue
        divergence = float(np.sum(weights * np.log(weights / candidate)))
        if divergence < least:
            best, least = candidate, divergence
    if best is None:
        raise ValueError(f"no weights of at most {cap} sum to one over {len(weights)} clients")
    return best
