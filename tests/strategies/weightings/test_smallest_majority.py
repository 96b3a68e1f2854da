"""One honest client more than malicious ones: few clients, as where some of a round did not answer."""

from __future__ import annotations

import numpy as np
import pytest

from strategies import robust_mean

MOST_WEIGHT = {"coalition-filtering": 0.01, "filtering": 0.01, "no-regret": 0.25}


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("method", MOST_WEIGHT)
@pytest.mark.parametrize("malicious", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_honest_clients_are_not_taken_for_duplicates_of_each_other(
    method: str, malicious: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    clients = 2 * malicious + 1
    updates = 1 + 0.3 * random.normal(size=(clients, 500))
    updates[:malicious] -= 6 * np.arange(1, malicious + 1)[:, None]
    weights = robust_mean(updates, method=method, epsilon=malicious / clients).robust_weights
    assert weights[:malicious].sum() < MOST_WEIGHT[method]
