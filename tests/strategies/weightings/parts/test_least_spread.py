"""The weights of least spread: the least of all that are allowed, whatever the spreads."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from strategies.arrays import FloatArray
from strategies.weightings.parts import least_spread as module
from strategies.weightings.parts.least_spread import least_spread
from strategies.weightings.parts.spectrum import centred

from ...made_up_updates import honest


def spread(gramian: FloatArray, q: FloatArray) -> float:
    return float(np.trace(np.linalg.matrix_power(q[:, None] * centred(gramian, q), 4)))


def test_a_spread_that_vanishes_ends_the_search() -> None:
    one_far_update = np.diag([1.0] + 9 * [1e-155])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        q = least_spread(one_far_update, 1 / 8)
    assert q[1:] == pytest.approx(1 / 9)


def test_least_spread_is_at_most_that_of_any_allowed_subset() -> None:
    rows = honest(24, power=0.75)
    gramian = rows @ rows.T
    q = least_spread(gramian, 1 / 18)
    assert q.max() <= 1 / 18 * (1 + 1e-9)
    random = np.random.default_rng(4)
    for _ in range(200):
        subset = np.zeros(24)
        subset[random.choice(24, 18, replace=False)] = 1 / 18
        assert spread(gramian, q) <= spread(gramian, subset)


@pytest.mark.parametrize("power", [0.0, 0.75])
def test_one_step_more_is_not_worth_it_and_none_makes_it_worse(
    power: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = honest(30, power=power)
    rows[:2] *= 3
    gramian, spreads = rows @ rows.T, []
    for steps in [*range(1, 9), module.STEPS, module.STEPS + 1]:
        monkeypatch.setattr(module, "STEPS", steps)
        spreads.append(spread(gramian, least_spread(gramian, 1 / 24)))
    assert all(after <= before for before, after in pairwise(spreads))
    assert spreads[-1] > (1 - 1e-4) * spreads[-2]
