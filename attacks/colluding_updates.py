"""Attackers that agree on one update, made from the honest updates that they know.

What they know are their own honest updates, or everybody's where they are omniscient (`Knowledge`).
All of them send the same update, so none stands out among the others. The formulas and their sources are
in `attacks.vectors`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .attack import Attack
from .knowledge import Knowledge, Update
from .limits import ABOVE_0, AT_LEAST_0, one_of
from .update_vectors import in_form_of, known_updates
from .vectors import (
    DIRECTIONS,
    a_little_is_enough,
    anti_minority,
    hidden_deviations,
    inner_product_manipulation,
    mimic,
    min_max,
    min_sum,
)


@dataclass(frozen=True, kw_only=True)
class InnerProductManipulation(Attack):
    """Send a negative multiple of the honest mean.

    A small multiple hides among the honest updates and turns a robust mean's inner product with the true
    one negative; a large one turns a plain mean around.

    Parameters
    ----------
    strength : float, default 0.5
        The multiple, above 0.
    """

    strength: float = field(default=0.5, metadata=ABOVE_0)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the negative multiple."""
        return in_form_of(inner_product_manipulation(known_updates(knowledge), self.strength), update)


@dataclass(frozen=True, kw_only=True)
class ALittleIsEnough(Attack):
    """Move every coordinate of the honest mean by less than honest clients scatter.

    Parameters
    ----------
    z : float, optional
        By how many standard deviations, above 0. By default the largest for which, in every
        coordinate, enough honest clients are expected beyond the attackers to make them a majority.
    """

    z: float | None = field(default=None, metadata=ABOVE_0)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the mean less z standard deviations."""
        z = self.z
        if z is None:
            z = hidden_deviations(knowledge.num_clients, knowledge.num_attackers)
        return in_form_of(a_little_is_enough(known_updates(knowledge), z), update)


@dataclass(frozen=True, kw_only=True)
class Mimic(Attack):
    """Send the honest update of one chosen client, so that it counts more than once.

    Harmless where clients' data are alike; where they are not, others are represented less.

    Parameters
    ----------
    victim : int, default 0
        Its number among the clients that the attackers know.
    """

    victim: int = field(default=0, metadata=AT_LEAST_0)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the victim's update."""
        return in_form_of(mimic(known_updates(knowledge), self.victim), update)


@dataclass(frozen=True, kw_only=True)
class MinMax(Attack):
    """Be no farther from any known update than two of them are from each other.

    Parameters
    ----------
    direction : str, default "deviation"
        Where the mean is moved: against the coordinates' standard deviations ("deviation"), the mean
        itself ("mean") or its signs ("sign").
    """

    direction: str = field(default="deviation", metadata=one_of(DIRECTIONS))

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the mean, moved."""
        return in_form_of(min_max(known_updates(knowledge), self.direction), update)


@dataclass(frozen=True, kw_only=True)
class MinSum(MinMax):
    """Have a sum of squared distances to the known updates that is no larger than one of theirs.

    Parameters
    ----------
    direction
        That of `MinMax`.
    """

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the mean, moved."""
        return in_form_of(min_sum(known_updates(knowledge), self.direction), update)


@dataclass(frozen=True, kw_only=True)
class AntiMinority(Attack):
    """Take an honest minority out of the mean: send the opposite of where it would move the model.

    Omniscient attackers see all honest updates and find the minority among them; others find what is
    most unlike the rest among their own.
    """

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the opposite, seen from the majority's mean."""
        return in_form_of(anti_minority(known_updates(knowledge)), update)
