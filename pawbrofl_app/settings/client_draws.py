"""Which clients are of a minority: a draw that the run's seed fixes, as `attacks.draw` is."""

from __future__ import annotations

import numpy as np

from attacks.draw import draw_malicious


def draw_minority(seed: int, num_clients: int, num_malicious: int, num_minority: int) -> list[int]:
    """Return the partition ids of the minority, ascending; none is among `draw_malicious`."""
    malicious = draw_malicious(seed, num_clients, num_malicious)
    honest = np.setdiff1d(np.arange(num_clients), malicious)
    random = np.random.default_rng([seed, num_clients, num_malicious, num_minority])
    return sorted(int(client) for client in random.choice(honest, size=num_minority, replace=False))
