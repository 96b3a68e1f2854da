"""The stealthy distributed backdoor: scaled as far as a ball of usual length lets it.

Sun, Kairouz, Suresh, McMahan, "Can you really backdoor federated learning?" (2019) and Wang et al.,
"Attack of the tails" (NeurIPS 2020): the attackers project their updates onto a ball, so that a bound
on the updates' norm does not see them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..knowledge import Knowledge, Update
from ..limits import ABOVE_0
from ..untargeted_updates import NormBall
from .distributed import DistributedBackdoor


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

    radius: float = field(default=1.0, metadata=ABOVE_0)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Scale the update and project it onto the ball."""
        return NormBall(radius=self.radius).poison_update(
            super().poison_update(update, knowledge), knowledge
        )
