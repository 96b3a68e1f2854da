"""Which updates make the next step of the main model and of each branch, and what weighs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .branch_state import MAIN, BranchState
from .epsilon import Epsilon, max_malicious
from .weightings.group_splitting import GroupSplitting, withstanding
from .weightings.weighting import Weighting


@dataclass(frozen=True)
class Share:
    """What one model's next step is made of.

    Attributes
    ----------
    model : int
        Its number.
    positions : ndarray of int
        Whose updates, as positions among the clients of the round.
    weighting : Weighting
        What weighs them.
    """

    model: int
    positions: NDArray[np.intp]
    weighting: Weighting

    @property
    def is_main(self) -> bool:
        """Whether it is the main model."""
        return self.model == MAIN


def shares(
    state: BranchState,
    clients: Sequence[str],
    models: NDArray[np.intp],
    weighting: Weighting,
    epsilon: Epsilon = 0.2,
) -> list[Share]:
    """Return the steps of a round: the main model's first, then those of branches that were trained.

    Parameters
    ----------
    state, clients, models
        As for `branches.settled`.
    weighting : Weighting
        What a strategy without branches would use. A branch's members are weighed by it; the main
        model's, without groups that stand apart, so that it withstands as many as among all clients.
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand.
    """
    home = np.array([state.of(client).home for client in clients], dtype=np.intp)
    at_home = np.flatnonzero((models == MAIN) & (home == MAIN))
    found = []
    if len(at_home):
        on_main = main_weighting(weighting, epsilon, len(clients), len(at_home))
        found.append(Share(MAIN, at_home, on_main))
    for number in np.unique(models[models != MAIN]).tolist():
        found.append(Share(number, np.flatnonzero(models == number), weighting))
    return found


def main_weighting(
    weighting: Weighting, epsilon: Epsilon, num_clients: int, num_updates: int
) -> Weighting:
    """Return what weighs so many updates of the main model, if a round has so many clients."""
    splitting = GroupSplitting(weighting, epsilon)
    if epsilon == "auto":
        return splitting
    return withstanding(splitting, max_malicious(epsilon, num_clients), num_updates)
