"""Bulyan's selection: Krum again and again, each time among those not yet selected.

El Mhamdi, Guerraoui, Rouault, "The hidden vulnerability of distributed learning in Byzantium" (ICML
2018). Of m updates ``m - 2 f`` are selected. Theirs then takes, in each coordinate, the mean of those
around the median, which is no weighting of the updates; here the selected ones are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..epsilon import Epsilon, check_epsilon_or_auto
from ..gramian import squared_distances
from .multi_krum import krum_scores
from .parts.inliers import max_malicious_among
from .weighting import Weighting


@dataclass(frozen=True)
class BulyanSelection(Weighting):
    """Equal weights for the updates that Krum selects one after the other.

    Parameters
    ----------
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5. Bulyan's guarantee
        needs ``m >= 4 f + 3``.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    epsilon: Epsilon = 0.2

    def __post_init__(self) -> None:
        check_epsilon_or_auto(self.epsilon)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return equal weights for the selected updates, 0 for the others."""
        m = len(gramian)
        f = max_malicious_among(gramian, self.epsilon)
        distances, left = squared_distances(gramian), np.arange(m)
        for _ in range(max(m - 2 * f, 1)):
            best = int(np.argmin(krum_scores(distances[np.ix_(left, left)], f)))
            left = np.delete(left, best)
        weights = np.full(m, 1 / (m - len(left)))
        weights[left] = 0.0
        return weights
