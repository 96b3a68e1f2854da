"""Attackers that agree on one update, made from the honest updates that they know.

What they know are their own honest updates, or everybody's where they are omniscient (`Knowledge`).
All of them send the same update, so none stands out among the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import norm

from .attack import Attack, Update
from .knowledge import Knowledge
from .update_vectors import in_form_of, known_updates


@dataclass(frozen=True, kw_only=True)
class InnerProductManipulation(Attack):
    """Send a negative multiple of the honest mean.

    Xie, Koyejo, Gupta, "Fall of empires: breaking Byzantine-tolerant SGD by inner product
    manipulation" (UAI 2019). A small multiple hides among the honest updates and turns a robust mean's
    inner product with the true one negative; a large one turns a plain mean around.

    Parameters
    ----------
    strength : float, default 0.5
        The multiple, above 0.
    """

    strength: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.strength > 0:
            raise ValueError(f"strength must be above 0, got {self.strength}")

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the negative multiple."""
        return in_form_of(-self.strength * known_updates(knowledge).mean(axis=0), update)


@dataclass(frozen=True, kw_only=True)
class ALittleIsEnough(Attack):
    """Move every coordinate of the honest mean by less than honest clients scatter.

    Baruch, Baruch, Goldberg, "A little is enough: circumventing defenses for distributed learning"
    (NeurIPS 2019).

    Parameters
    ----------
    z : float, optional
        By how many standard deviations, above 0. By default the largest for which, in every
        coordinate, enough honest clients are expected beyond the attackers to make them a majority.
    """

    z: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.z is not None and not self.z > 0:
            raise ValueError(f"z must be above 0, got {self.z}")

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the mean less z standard deviations."""
        known = known_updates(knowledge)
        z = self.z
        if z is None:
            z = hidden_deviations(knowledge.num_clients, knowledge.num_attackers)
        return in_form_of(known.mean(axis=0) - z * known.std(axis=0), update)


@dataclass(frozen=True, kw_only=True)
class Mimic(Attack):
    """Send the honest update of one chosen client, so that it counts more than once.

    Karimireddy, He, Jaggi, "Byzantine-robust learning on heterogeneous datasets via bucketing" (ICLR
    2022). Harmless where clients' data are alike; where they are not, others are represented less.

    Parameters
    ----------
    victim : int, default 0
        Its number among the clients that the attackers know.
    """

    victim: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.victim < 0:
            raise ValueError(f"victim must be at least 0, got {self.victim}")

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the victim's update."""
        known = known_updates(knowledge)
        return in_form_of(known[self.victim % len(known)], update)


def hidden_deviations(num_clients: int, num_attackers: int) -> float:
    """Return the z of Baruch et al. (their Algorithm 3): of m clients k attack.

    ``floor(m / 2 + 1) - k`` honest clients must lie beyond the attackers for them to be a majority; z is
    the normal quantile at which so many are expected. At least a tenth, as with few attackers it is
    close to 0 or below.
    """
    honest = max(num_clients - num_attackers, 1)
    supporters = math.floor(num_clients / 2 + 1) - num_attackers
    share = min(max((honest - supporters) / honest, 0.0), 1 - 1e-6)
    return max(float(norm.ppf(share)) if share > 0 else 0.0, 0.1)
