"""Which clients are malicious and which are of a minority: draws that the run's seed fixes."""

from __future__ import annotations

import numpy as np


def draw_malicious(seed: int, num_clients: int, num_malicious: int) -> list[int]:
    """Return the malicious clients' partition ids, ascending."""
    random = np.random.default_rng([seed, num_clients, num_malicious])
    chosen = random.choice(num_clients, size=num_malicious, replace=False)
    return sorted(int(client) for client in chosen)


def draw_minority(seed: int, num_clients: int, num_malicious: int, num_minority: int) -> list[int]:
    """Return the partition ids of the minority, ascending; none is among `draw_malicious`."""
    malicious = draw_malicious(seed, num_clients, num_malicious)
    honest = np.setdiff1d(np.arange(num_clients), malicious)
    random = np.random.default_rng([seed, num_clients, num_malicious, num_minority])
    return sorted(int(client) for client in random.choice(honest, size=num_minority, replace=False))
