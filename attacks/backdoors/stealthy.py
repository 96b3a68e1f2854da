"""The stealthy distributed backdoor: scaled as far as a ball of usual length lets it.

Sun, Kairouz, Suresh, McMahan, "Can you really backdoor federated learning?" (2019) and Wang et al.,
"Attack of the tails" (NeurIPS 2020): the attackers project their updates onto a ball, so that a bound
on the updates' norm does not see them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..attack import Attack, Update
from ..knowledge import Knowledge
from ..update_vectors import as_vector, in_form_of, known_updates
from .distributed import DistributedBackdoor


@dataclass(frozen=True, kw_only=True)
class NormBall(Attack):
    """Shorten the update to a usual length; for combinations.

    Parameters
    ----------
    radius : float, default 1.0
        The ball's radius as a multiple of the median length of the known honest updates, above 0.
    """

    radius: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.radius > 0:
            raise ValueError(f"radius must be above 0, got {self.radius}")

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Project the update onto the ball."""
        usual = float(np.median(np.linalg.norm(known_updates(knowledge), axis=1)))
        return project_onto_ball(update, self.radius * usual)


@dataclass(frozen=True, kw_only=True)
class StealthyBackdoor(DistributedBackdoor):
    """One attacker of a distributed backdoor whose scaled update is as long as honest ones.

    Parameters
    ----------
    radius : float, default 1.0
        As in `NormBall`.
    others
        Those of `DistributedBackdoor`.
    """

    radius: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        NormBall(radius=self.radius)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Scale the update and project it onto the ball."""
        return NormBall(radius=self.radius).poison_update(
            super().poison_update(update, knowledge), knowledge
        )


def project_onto_ball(update: Update, radius: float) -> Update:
    """Return the update if it is at most that long, else the multiple of it that is."""
    vector = as_vector(update)
    length = float(np.linalg.norm(vector))
    if length <= radius:
        return update
    return in_form_of(vector * (radius / length), update)
