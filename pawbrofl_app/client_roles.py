"""Which clients are malicious, and what each of them does."""

from __future__ import annotations

import numpy as np

from attacks import Attack, DistributedBackdoor

from .run_config import InvalidSetting, RunConfig
from .site import Site


def malicious_clients(config: RunConfig) -> list[int]:
    """Return the numbers of the malicious clients, ascending; a draw that the run's seed fixes."""
    random = np.random.default_rng([config.seed, config.num_clients, config.num_malicious])
    chosen = random.choice(config.num_clients, size=config.num_malicious, replace=False)
    return sorted(int(client) for client in chosen)


def attack_of(config: RunConfig, site: Site) -> Attack | None:
    """Return the attack of one client, or None for a benign one.

    Raises
    ------
    InvalidSetting
        Where a node config says malicious, but the run has no attack.
    """
    malicious = malicious_clients(config)
    drawn = site.partition_id in malicious
    if not site.attacks(drawn):
        return None
    if config.attack == "none":
        raise InvalidSetting("attack must name one where a node config says malicious, got 'none'")
    attacker = malicious.index(site.partition_id) if drawn else site.partition_id
    return DistributedBackdoor(
        attacker=attacker,
        target=config.target_label,
        poison_fraction=config.poison_fraction,
        scale=config.attack_scale,
        trigger=config.trigger,
        first_round=config.attack_first_round,
        last_round=config.attack_last_round or None,
    )
