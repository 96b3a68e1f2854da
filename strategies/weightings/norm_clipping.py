"""Norm clipping: no update counts for more than a bound on its length; weak noise on top, if asked for.

Sun, Kairouz, Suresh, McMahan, "Can you really backdoor federated learning?" (2019)::

    mean_i  x_i / max(1, |x_i| / bound)  +  N(0, sigma^2 I)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..checks import require
from .defence import Defence, Defended, Noise, Seen, shortened


@dataclass(frozen=True)
class NormClipping(Defence):
    """The mean of updates that are shortened to a bound.

    Parameters
    ----------
    bound : float, optional
        In units of the updates; above 0. By default the median of the round's lengths.
    noise : float, default 0.0
        Standard deviation of every coordinate's noise, as a multiple of the bound; at least 0.
    seed : int, default 0
        Of the noise, which is drawn anew for other updates.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    bound: float | None = None
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.bound is None or self.bound > 0, "bound", "above 0", self.bound)
        require(0 <= self.noise < math.inf, "noise", "at least 0 and finite", self.noise)
        require(self.seed >= 0, "seed", "at least 0", self.seed)

    def defend(self, seen: Seen) -> Defended:
        """Return equal weights, and by how much each update is shortened."""
        bound = float(np.median(seen.lengths)) if self.bound is None else self.bound
        noise = Noise(self.noise * bound, seen.seed(self.seed)) if self.noise else None
        m = len(seen.gramian)
        return Defended(np.full(m, 1 / m), shortened(seen.lengths, bound), noise)
