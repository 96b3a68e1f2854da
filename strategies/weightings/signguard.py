"""SignGuard: clients of usual length whose signs are shared out as most others' are.

Xu, Huang, Song, Lan, "Byzantine-robust federated learning through collaborative malicious gradient
filtering" (ICDCS 2022), Algorithm 2. With M the median length, those are averaged, cut to length M, who

- have a length between 0.1 M and 3 M, and
- are in the largest cluster that mean shift finds among the shares of positive, zero and negative signs
  in a tenth of the coordinates, each share divided by the largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..checks import require
from ..updates import Block, ClientUpdates
from .defence import Defence, Defended, Seen, equal_among, shortened
from .parts.mean_shift import estimated_bandwidth, mean_shift

SHORTEST, LONGEST = 0.1, 3.0
"""Lengths that are usual, as multiples of the median one."""

TINY = 1e-8
"""What the authors add to the largest share."""


@dataclass(frozen=True)
class SignGuard(Defence):
    """Equal weights for those of usual length and signs, shortened to the median length.

    Parameters
    ----------
    coordinates : float, default 0.1
        The share of coordinates, in one piece, whose signs are counted; above 0 and at most 1.
    seed : int, default 0
        Of the draw of that piece, which is another one for other updates.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    coordinates: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        require(0 < self.coordinates <= 1, "coordinates", "above 0 and at most 1", self.coordinates)
        require(self.seed >= 0, "seed", "at least 0", self.seed)

    def defend(self, seen: Seen) -> Defended:
        """Return the weights and the factors that bound lengths."""
        lengths = seen.lengths
        median = float(np.median(lengths))
        usual = (lengths > SHORTEST * median) & (lengths < LONGEST * median)
        shares = self._shares_of_signs(seen)
        features = shares / (shares.max(axis=0) + TINY)
        clusters = mean_shift(features, estimated_bandwidth(features))
        alike = clusters == np.argmax(np.bincount(clusters[clusters >= 0]))
        trusted = usual & alike
        return Defended(equal_among(trusted if trusted.any() else usual), shortened(lengths, median))

    def _shares_of_signs(self, seen: Seen) -> FloatArray:
        """Return each update's shares of positive, zero and negative signs, of shape (m, 3)."""
        d = seen.updates.num_coordinates
        number = max(int(self.coordinates * d), 1)
        start = int(np.random.default_rng(seen.seed(self.seed)).integers(d - number + 1))
        return signs_counted(seen.updates, Block(start, start + number)) / number


def signs_counted(updates: ClientUpdates, block: Block) -> NDArray[np.int64]:
    """Return how many coordinates of each update are positive, zero and negative, of shape (m, 3)."""
    counted = np.zeros((updates.num_clients, 3), dtype=np.int64)
    for part, columns in updates.read(block, np.float64):
        positive, negative = (columns > 0).sum(axis=1), (columns < 0).sum(axis=1)
        counted += np.stack([positive, len(part) - positive - negative, negative], axis=1)
    return counted
