"""Which clients are malicious: a draw that a seed fixes, the same in any project."""

from __future__ import annotations

import functools

import numpy as np


def draw_malicious(seed: int, num_clients: int, num_malicious: int) -> list[int]:
    """Return the malicious clients' partition ids, ascending."""
    return list(_drawn(seed, num_clients, num_malicious))


@functools.lru_cache(maxsize=4)
def _drawn(seed: int, num_clients: int, num_malicious: int) -> tuple[int, ...]:
    random = np.random.default_rng([seed, num_clients, num_malicious])
    chosen = random.choice(num_clients, size=num_malicious, replace=False)
    return tuple(sorted(int(client) for client in chosen))
