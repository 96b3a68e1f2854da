"""Neurotoxin: the update leaves alone the coordinates that honest training moves most.

Zhang, Panda, Song, Yang, Mahoney, Gonzalez, Ramchandran, Mittal, "Neurotoxin: Durable backdoors in
federated learning" (ICML 2022). Honest clients hardly write where it writes, so what it plants fades
slowly. The paper projects after every step of the attacker's training, by the last round's aggregate;
here the trained update is projected once, by the honest updates that the attackers know of this round.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..attack import Attack
from ..knowledge import Knowledge, Update
from ..limits import PART
from ..update_vectors import as_vector, in_form_of, known_updates
from ..vectors import quiet_coordinates


@dataclass(frozen=True, kw_only=True)
class Neurotoxin(Attack):
    """Project the update onto the coordinates that honest updates move least; for combinations.

    Parameters
    ----------
    top : float, default 0.05
        Share of the coordinates that are left alone, above 0 and below 1.
    """

    top: float = field(default=0.05, metadata=PART)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Set the most moved coordinates to zero."""
        return in_form_of(
            quiet_coordinates(as_vector(update), known_updates(knowledge), self.top), update
        )
