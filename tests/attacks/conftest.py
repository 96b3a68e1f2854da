"""Attackers' knowledge without any training: honest updates drawn at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from attacks import HonestTraining, Knowledge, TrainingReport

MakeKnowledge = Callable[..., Knowledge]


def honest_training(seed: int) -> HonestTraining:
    """An update of two float32 arrays and a counter, and a report of gap 0.1 times the seed."""
    random = np.random.default_rng(seed)
    update = [
        random.normal(1.0, 1.0, (4, 5)).astype(np.float32),
        random.normal(-1.0, 1.0, 7).astype(np.float32),
        np.array(3),
    ]
    return HonestTraining(update, TrainingReport(1.0, 1.0 - 0.1 * seed, 20, 0.1 * seed))


@pytest.fixture
def make_knowledge() -> MakeKnowledge:
    """Returns the knowledge of attacker j among k, of m clients, who know k honest trainings."""

    def make(attacker: int = 0, num_attackers: int = 4, num_clients: int = 20) -> Knowledge:
        known = [honest_training(seed) for seed in range(1, num_attackers + 1)]
        return Knowledge(
            server_round=1,
            attacker=attacker,
            num_attackers=num_attackers,
            num_clients=num_clients,
            random=np.random.default_rng([7, attacker]),
            own_honest_training=lambda: known[attacker],
            honest_trainings=lambda: known,
        )

    return make
