"""Which clients are malicious, what each of them does, and what they know of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from attacks import NO_ATTACK, Attack, BackdoorTrigger, CombinedAttack
from attacks.distributed_backdoor import LocalPattern
from attacks.erased_corner import CornerTrigger, ErasedCorner
from clients.benign import BenignClient
from clients.collusion import Collusion

from .run_config import RunConfig


def malicious_clients(config: RunConfig) -> list[int]:
    """Return the numbers of the malicious clients, ascending; a draw that the run's seed fixes."""
    random = np.random.default_rng([config.seed, config.num_clients, config.num_malicious])
    chosen = random.choice(config.num_clients, size=config.num_malicious, replace=False)
    return sorted(int(client) for client in chosen)


def attack_of(config: RunConfig, partition_id: int) -> Attack | None:
    """Return the attack of one client, or None for a benign one."""
    malicious = malicious_clients(config)
    if partition_id not in malicious:
        return None
    return config.attack_of(malicious.index(partition_id))


def collusion_of(
    config: RunConfig, partition_id: int, benign_client: Callable[[int], BenignClient]
) -> Collusion:
    """Return what a malicious client knows of the others.

    Parameters
    ----------
    config : RunConfig
    partition_id : int
        Of a malicious client.
    benign_client : callable
        Returns any client, by its number, as it would be if it were benign.
    """
    malicious = malicious_clients(config)
    known = malicious
    if config.omniscient_attackers:
        known = [client for client in range(config.num_clients) if client not in malicious]

    def known_clients() -> Sequence[BenignClient]:
        return [benign_client(client) for client in known]

    return Collusion(malicious.index(partition_id), len(malicious), config.num_clients, known_clients)


def evaluated_backdoor(config: RunConfig) -> tuple[BackdoorTrigger | CornerTrigger, int]:
    """Return the trigger and the target class by which the attack's success is measured.

    Those of the first backdoor among the attacks; without any, those of the settings, which nobody
    trains, for comparison.
    """
    if config.attack != NO_ATTACK:
        attack = config.attack_of(0)
        for one in attack.attacks if isinstance(attack, CombinedAttack) else (attack,):
            if isinstance(one, LocalPattern | ErasedCorner):
                return one.trigger, one.target
    return config.trigger, config.target_label
