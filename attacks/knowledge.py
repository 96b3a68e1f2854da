"""What a client reports, and what an attacker knows: nothing of the server's aggregation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Update = list[NDArray[Any]]


@dataclass(frozen=True)
class TrainingReport:
    """What a client tells of its training.

    Attributes
    ----------
    loss_before, loss_after : float
        Mean cross-entropy under the received and the trained model, on the samples that the client's gap
        measure names.
    num_examples : int
        Number of training samples.
    loss_gap : float
        The optimality gap, as the client's gap measure defines it.
    """

    loss_before: float
    loss_after: float
    num_examples: int
    loss_gap: float


@dataclass(frozen=True)
class HonestTraining:
    """What one client would honestly send in a round.

    Attributes
    ----------
    update : list of ndarray
        Received minus trained model.
    report : TrainingReport
        With the optimality gap as measured.
    """

    update: Update
    report: TrainingReport


@dataclass(frozen=True)
class Knowledge:
    """What one attacker knows in one round.

    Attributes
    ----------
    server_round : int
        The round's number, from 1.
    attacker : int
        The attacker's number among the malicious clients, from 0.
    num_attackers, num_clients : int
        How many malicious clients and how many clients there are.
    random : numpy.random.Generator
        For this attacker and round alone; fixed by the run's seed.
    own_honest_training : callable
        Returns what this attacker would honestly send. Computed when first asked for.
    honest_trainings : callable
        Returns the same for every client that the attackers know: the malicious clients themselves,
        who share their data, or every honest client where attackers are omniscient. In one order for
        all attackers, so that they can agree.
    """

    server_round: int
    attacker: int
    num_attackers: int
    num_clients: int
    random: np.random.Generator
    own_honest_training: Callable[[], HonestTraining]
    honest_trainings: Callable[[], Sequence[HonestTraining]]
