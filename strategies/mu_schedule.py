"""The tilt's temperature mu over the rounds: linear, cosine, exponential, or as each round asks.

The discussion section of PAwBRoFL (Fernando, Xiong, Patel, Stoll) leaves the choice of mu over time
open. A large mu first, while all clients are served badly alike, and a smaller one later is the usual
order.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray
from .checks import require


@dataclass(frozen=True)
class MuSchedule(ABC):
    """A mu for every round: from ``start`` in round 1 to ``end`` in round ``num_rounds`` and later.

    Parameters
    ----------
    start, end : float
        Above 0 and finite.
    num_rounds : int
        At least 1; with 1, every round has ``end``.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    start: float
    end: float
    num_rounds: int

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            require(0 < value < math.inf, name, "above 0 and finite", value)
        require(self.num_rounds >= 1, "num_rounds", "at least 1", self.num_rounds)

    def at_round(self, server_round: int) -> float:
        """Return the mu of a round, numbered from 1."""
        if self.num_rounds == 1:
            return self.end
        progress = (server_round - 1) / (self.num_rounds - 1)
        return self.at_progress(min(max(progress, 0.0), 1.0))

    @abstractmethod
    def at_progress(self, progress: float) -> float:
        """Return mu where ``progress`` is 0 in the first round and 1 in the last."""


class LinearMu(MuSchedule):
    """Equal steps from start to end."""

    def at_progress(self, progress: float) -> float:
        """Return the point on the line."""
        return self.start + (self.end - self.start) * progress


class CosineMu(MuSchedule):
    """Half a cosine from start to end: slow at both ends (Loshchilov, Hutter, "SGDR", ICLR 2017)."""

    def at_progress(self, progress: float) -> float:
        """Return the point on the half cosine."""
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * progress)) / 2


class ExponentialMu(MuSchedule):
    """Equal factors from start to end."""

    def at_progress(self, progress: float) -> float:
        """Return the point on the exponential."""
        return self.start * math.exp(math.log(self.end / self.start) * progress)


MU_SCHEDULES: dict[str, type[MuSchedule]] = {
    "linear": LinearMu,
    "cosine": CosineMu,
    "exponential": ExponentialMu,
}


@dataclass(frozen=True)
class EffectiveClients:
    """In every round the mu at which a chosen number of clients effectively counts.

    The effective number of clients of weights w is ``(sum w)^2 / sum w^2``: m for equal weights, 1 where
    one client has all. A tilt of the same strength in every round, whatever the scale of the gaps.

    Parameters
    ----------
    number : float
        At least 1. Where even the strongest tilt leaves more, that is taken; where the robust weights
        leave fewer already, nothing is tilted.

    Raises
    ------
    ValueError
        For a number below 1.
    """

    number: float

    def __post_init__(self) -> None:
        require(1 <= self.number < math.inf, "number", "at least 1 and finite", self.number)

    def solve(self, tilted_at: Callable[[float], FloatArray], scale: float) -> float:
        """Return the mu, by bisection of its logarithm.

        Parameters
        ----------
        tilted_at : callable
            Maps mu to the tilted weights.
        scale : float
            Largest difference between the exponents' numerators ``q_i gap_i``.
        """
        if scale <= 0:
            return math.inf
        weak = min(math.log(scale) + _WIDEST, _LARGEST_LOG)
        strong = max(math.log(scale) - _WIDEST, -_LARGEST_LOG)
        if effective_number(tilted_at(math.exp(weak))) <= self.number:
            return math.inf
        if effective_number(tilted_at(math.exp(strong))) > self.number:
            return math.exp(strong)
        for _ in range(_BISECTIONS):
            middle = (weak + strong) / 2
            if effective_number(tilted_at(math.exp(middle))) > self.number:
                weak = middle
            else:
                strong = middle
        return math.exp(strong)


_WIDEST = 25.0
"""Beyond factors of exp(25) above and below the scale, the tilt hardly changes any more."""

_LARGEST_LOG = 700.0
"""Logarithm of the largest mu, and minus that of the least, which double precision can divide by."""

_BISECTIONS = 60
"""Halvings of that interval down to the last digit."""


def effective_number(weights: FloatArray) -> float:
    """Return how many clients effectively count: ``(sum w)^2 / sum w^2`` (Kish, 1965)."""
    return float(weights.sum() ** 2 / np.square(weights).sum())
