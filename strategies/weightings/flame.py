"""FLAME: clustering by angle, clipping to the median length, and noise.

Nguyen et al., "FLAME: Taming backdoors in federated learning" (USENIX Security 2022), Algorithm 1::

    c_ij = 1 - cos(w_i, w_j)              w_i: the clients' models
    L    = the cluster of HDBSCAN(c) with at least m / 2 + 1 members
    S    = median_i |x_i|                 x_i: their updates
    mean_{i in L} min(1, S / |x_i|) x_i  +  N(0, (lambda S)^2 I)

Where a cluster must hold more than half of all, HDBSCAN with one neighbour leaves no choice: it is the
smallest group of that size that single linkage forms, which is what is computed here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..checks import require
from .defence import Defence, Defended, Noise, Seen, cosines, equal_among, shortened


@dataclass(frozen=True)
class FLAME(Defence):
    """Equal weights for the larger half that points one way, with bounded lengths and noise.

    Angles are between the clients' models where the server's is known, as in a strategy, and between
    their updates otherwise.

    Parameters
    ----------
    noise : float, default 0.001
        Standard deviation of every coordinate's noise, as a multiple of the median length: the authors'
        lambda, and its value for images. At least 0.
    seed : int, default 0
        Of the noise, which is drawn anew for other updates.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    noise: float = 0.001
    seed: int = 0

    def __post_init__(self) -> None:
        require(0 <= self.noise < math.inf, "noise", "at least 0 and finite", self.noise)
        require(self.seed >= 0, "seed", "at least 0", self.seed)

    def defend(self, seen: Seen) -> Defended:
        """Return the weights, the factors that bound lengths, and the noise."""
        bound = float(np.median(seen.lengths))
        noise = Noise(self.noise * bound, seen.seed(self.seed)) if self.noise * bound > 0 else None
        admitted = majority_cluster(1 - cosines(_gramian_of_models(seen)))
        return Defended(equal_among(admitted), shortened(seen.lengths, bound), noise)


def majority_cluster(distances: FloatArray) -> NDArray[np.bool_]:
    """Return who is in the first group of at least ``m // 2 + 1`` that single linkage forms."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    m = len(distances)
    members = {i: [i] for i in range(m)}
    inside = np.zeros(m, dtype=bool)
    if m < 3:
        return ~inside
    symmetric = np.maximum((distances + distances.T) / 2, 0.0)
    for step, (first, second, _, size) in enumerate(linkage(squareform(symmetric, checks=False))):
        members[m + step] = members.pop(int(first)) + members.pop(int(second))
        if size >= m // 2 + 1:
            inside[members[m + step]] = True
            break
    return inside


def _gramian_of_models(seen: Seen) -> FloatArray:
    """Return the inner products of the clients' models, ``theta - x_i``; without theta, of updates."""
    if seen.known.model is None:
        return seen.gramian
    theta = seen.known.flat(seen.known.model)
    along = seen.products_with(theta)
    models: FloatArray = float(theta @ theta) - along[:, None] - along[None, :] + seen.gramian
    return models
