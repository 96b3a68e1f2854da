"""Multi-Krum: the mean of the updates that lie closest to their neighbours; Krum if it is one update.

Blanchard, El Mhamdi, Guerraoui, Stainer, "Machine learning with adversaries: Byzantine tolerant
gradient descent" (NeurIPS 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from ..epsilon import Epsilon, check_epsilon_or_auto
from ..gramian import squared_distances
from .parts.inliers import max_malicious_among
from .weighting import Weighting


@dataclass(frozen=True)
class MultiKrum(Weighting):
    """Equal weights for the updates of lowest Krum score.

    An update's score is the sum of its squared distances to its ``m - f - 2`` nearest others (at least
    one), where f clients may be malicious.

    Parameters
    ----------
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5.
    num_selected : int, optional
        How many updates are averaged; at least 1. 1 is Krum; by default it is ``m - f``.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    epsilon: Epsilon = 0.2
    num_selected: int | None = None

    def __post_init__(self) -> None:
        check_epsilon_or_auto(self.epsilon)
        selects_some = self.num_selected is None or self.num_selected >= 1
        require(selects_some, "num_selected", "at least 1", self.num_selected)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return ``1 / num_selected`` for the selected updates, 0 for the others."""
        m = len(gramian)
        f = max_malicious_among(gramian, self.epsilon)
        number = m - f if self.num_selected is None else min(self.num_selected, m)
        scores = krum_scores(squared_distances(gramian), f)
        weights = np.zeros(m)
        weights[np.argsort(scores, kind="stable")[:number]] = 1 / number
        return weights


def krum_scores(distances: FloatArray, f: int) -> FloatArray:
    """Return each update's sum of distances to its ``m - f - 2`` nearest others, at least one.

    Parameters
    ----------
    distances : ndarray of shape (m, m)
        Distances between the updates, squared for Krum.
    f : int
        How many of them may be malicious.
    """
    nearest = np.sort(distances, axis=1)[:, 1:]
    scores: FloatArray = nearest[:, : max(len(distances) - f - 2, 1)].sum(axis=1)
    return scores
