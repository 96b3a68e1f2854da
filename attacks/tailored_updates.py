"""Attackers who know the defence: they try attacks on it and send the one that moves its mean furthest.

Apart from all other attacks, which know nothing of the server's aggregation. Shejwalkar, Houmansadr,
"Manipulating the Byzantine: optimizing model poisoning attacks and defenses for federated learning"
(NDSS 2021), their attackers who know the aggregation rule; Fang, Cao, Jia, Gong, "Local model poisoning
attacks to Byzantine-robust federated learning" (USENIX Security 2020). With g the defence's mean of the
known honest updates and of the attackers' k copies, and mu the honest mean, the factor is searched that
maximises::

    | g(honest, k times a(factor)) - mu |,   a(z) = mu - z sigma  or  a(s) = -s mu
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .attack import Attack
from .knowledge import Knowledge, Update
from .limits import AT_LEAST_1, BELOW_HALF
from .update_vectors import in_form_of, known_updates
from .vectors import Vector, a_little_is_enough, inner_product_manipulation


def line_maximum(value: Callable[[float], float], evaluations: int) -> float:
    """Return where a function of a number of at least 0 is largest, of so many places that are tried.

    Steps from 0 double for as long as they lead higher; then steps up and down halve around the best.
    """
    best, highest, step = 0.0, value(0.0), 1.0
    left, growing, up = evaluations - 1, True, True
    while left > 0:
        place = best + step if growing or up else max(best - step, 0.0)
        found = value(place)
        left -= 1
        if found > highest:
            best, highest = place, found
            step = 2 * step if growing else step
        elif growing or not up:
            step, growing, up = step / 2, False, True
        else:
            up = False
    return best


@dataclass(frozen=True, kw_only=True)
class TailoredAttack(Attack, ABC):
    """Send what moves the mean of a known weighting furthest.

    Parameters
    ----------
    aggregator : str, default "coalition-filtering"
        The weighting that the attackers know: a name of `strategies.WEIGHTINGS`.
    assumed_epsilon : float, default 0.2
        The fraction that it withstands, as the attackers know it; at least 0 and below 0.5.
    evaluations : int, default 16
        How many factors are tried, at least 1.
    """

    aggregator: str = "coalition-filtering"
    assumed_epsilon: float = field(default=0.2, metadata=BELOW_HALF)
    evaluations: int = field(default=16, metadata=AT_LEAST_1)

    def __post_init__(self) -> None:
        from strategies.weightings import weighting_named  # not needed by any other attack

        super().__post_init__()
        weighting_named(self.aggregator, epsilon=self.assumed_epsilon)

    @abstractmethod
    def sent(self, known: Vector, factor: float) -> Vector:
        """Return what the attackers send with a factor; at 0 nothing that harms."""

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the most harmful of what was tried."""
        from strategies.aggregation import robust_mean

        known = known_updates(knowledge)
        mean = known.mean(axis=0)
        # As many to each known honest update as attackers to each honest client.
        honest = max(knowledge.num_clients - knowledge.num_attackers, 1)
        number = max(round(len(known) * knowledge.num_attackers / honest), 1)

        def harm(factor: float) -> float:
            copies = np.tile(self.sent(known, factor), (number, 1))
            moved = robust_mean(np.vstack([copies, known]), self.aggregator, self.assumed_epsilon).mean
            return float(np.linalg.norm(moved - mean))

        return in_form_of(self.sent(known, line_maximum(harm, self.evaluations)), update)


@dataclass(frozen=True, kw_only=True)
class OptimisedALittleIsEnough(TailoredAttack):
    """A little is enough, with the z that harms a known weighting most.

    Parameters
    ----------
    aggregator, assumed_epsilon, evaluations
        Those of `TailoredAttack`.
    """

    def sent(self, known: Vector, factor: float) -> Vector:
        """Return the mean less so many standard deviations."""
        return a_little_is_enough(known, factor)


@dataclass(frozen=True, kw_only=True)
class OptimisedInnerProductManipulation(TailoredAttack):
    """Inner-product manipulation with the strength that harms a known weighting most.

    Parameters
    ----------
    aggregator, assumed_epsilon, evaluations
        Those of `TailoredAttack`.
    """

    def sent(self, known: Vector, factor: float) -> Vector:
        """Return the mean, turned round by the factor less 1."""
        return inner_product_manipulation(known, factor - 1)
