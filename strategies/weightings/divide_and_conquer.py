"""DnC, divide and conquer: drop those who lie furthest along the direction of largest variance.

Shejwalkar, Houmansadr, "Manipulating the Byzantine: optimizing model poisoning attacks and defenses for
federated learning" (NDSS 2021), Algorithm 2. With v the top right singular vector of the centred
updates, ``s_i = <x_i - mean, v>^2``, keep the ``m - c f`` of lowest s and average them. Theirs draws
some of the coordinates, several times, as the singular vectors of all would take too much memory; in the
Gramian they cost nothing, so nothing is drawn and once is enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from ..epsilon import Epsilon, check_epsilon_or_auto
from .parts.inliers import max_malicious_among
from .parts.spectrum import top_direction
from .weighting import Weighting


@dataclass(frozen=True)
class DivideAndConquer(Weighting):
    """Equal weights for those nearest to the mean along its widest direction.

    Parameters
    ----------
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5.
    filtered : float, default 1.0
        How many are dropped, as a multiple of the malicious number f: the authors' c. At least 0; at
        least one update is kept.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    epsilon: Epsilon = 0.2
    filtered: float = 1.0

    def __post_init__(self) -> None:
        check_epsilon_or_auto(self.epsilon)
        require(0 <= self.filtered < math.inf, "filtered", "at least 0 and finite", self.filtered)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return equal weights for those kept, 0 for the others."""
        m = len(gramian)
        f = max_malicious_among(gramian, self.epsilon)
        kept = max(math.floor(m - self.filtered * f + 1e-9), 1)
        scores = top_direction(gramian, np.full(m, 1 / m)).quasi_gradients
        weights = np.zeros(m)
        weights[np.argsort(scores, kind="stable")[:kept]] = 1 / kept
        return weights
