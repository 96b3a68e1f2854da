"""How many of a round's replies may be malicious, where a round has only some of the clients.

Epsilon is the fraction of all clients that may be malicious, and those that train in a round are drawn:
of 10 clients, 2 of them malicious, more than every fifth round of 5 has both. So f is what a draw
exceeds with a probability of at most 1%, a quantile of the hypergeometric distribution
(`experiments.estimators.sampled_rounds` compares it with other choices). Whoever is asked and sends no
usable model may be honest, so missing replies do not lower f.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any

from .epsilon import Epsilon, max_malicious
from .weightings import Bucketing, Weighting

ROUNDS_BELOW = 100
"""In no more than one of so many rounds there are more malicious clients than f."""


@dataclass(frozen=True)
class Participation:
    """Who takes part in a round.

    Attributes
    ----------
    num_clients : int
        How many clients there are.
    num_asked : int
        How many of them were sent the model.
    num_usable : int
        How many of those sent a model back that can be aggregated.
    """

    num_clients: int
    num_asked: int
    num_usable: int

    def max_malicious(self, epsilon: float) -> int:
        """Return f: how many of those asked may be malicious."""
        malicious = max_malicious(epsilon, max(self.num_clients, self.num_asked))
        drawn = most_in_a_draw(malicious, max(self.num_clients, self.num_asked), self.num_asked)
        return max(drawn, max_malicious(epsilon, self.num_asked))

    def epsilon(self, epsilon: float, bucket_size: int = 1) -> float:
        """Return the epsilon at which f of the usable models may be malicious, always a minority.

        Parameters
        ----------
        epsilon : float
            The fraction of all clients.
        bucket_size : int, default 1
            For models that are averaged in buckets of that many, and an epsilon of the buckets.
        """
        if self.num_clients <= self.num_asked == self.num_usable:
            return epsilon
        number = -(-self.num_usable // bucket_size)
        f = min(self.max_malicious(epsilon / bucket_size), (number - 1) // 2)
        return epsilon if f == max_malicious(epsilon, number) else f / number

    def is_enough(self, epsilon: float) -> bool:
        """Return whether those who may be malicious are a minority of the usable models.

        As ``epsilon`` of those asked is rounded down, rounds of one or two clients are enough.
        """
        return self.num_usable > 2 * int(epsilon * self.num_asked + 1e-9)

    def weighting(self, weighting: Weighting, bucket_size: int = 1) -> Weighting:
        """Return a weighting that withstands f of the usable models, where it has an epsilon."""
        if not is_dataclass(weighting):
            return weighting
        kind: Any = weighting
        changed: dict[str, Any] = {}
        for field in fields(kind):
            value = getattr(kind, field.name)
            if isinstance(value, Weighting):
                size = kind.bucket_size if isinstance(kind, Bucketing) else 1
                changed[field.name] = self.weighting(value, bucket_size * size)
            elif field.name == "epsilon" and value != "auto":
                changed[field.name] = self.epsilon(value, bucket_size)
        same = all(getattr(kind, name) == value for name, value in changed.items())
        return weighting if same else replace(kind, **changed)

    def epsilon_or_auto(self, epsilon: Epsilon) -> Epsilon:
        """Return `epsilon` of a number, and "auto" as it is."""
        return epsilon if epsilon == "auto" else self.epsilon(epsilon)


@lru_cache
def most_in_a_draw(malicious: int, num_clients: int, num_drawn: int) -> int:
    """Return how many malicious ones a draw without replacement holds at most, in 99% of all."""
    few = math.comb(num_clients, num_drawn) // ROUNDS_BELOW
    more = 0  # draws that hold at least that many
    for number in range(min(malicious, num_drawn), 0, -1):
        more += math.comb(malicious, number) * math.comb(num_clients - malicious, num_drawn - number)
        if more > few:
            return number
    return 0
