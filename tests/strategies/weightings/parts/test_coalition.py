"""The search for a coalition: who is found, and how seldom honest clients are taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.arrays import FloatArray
from strategies.weightings.parts.coalition import Coalition, most_harmful_coalition
from strategies.weightings.parts.least_spread import least_spread

from ...made_up_updates import honest


def found(rows: FloatArray, max_members: int) -> Coalition:
    gramian = rows @ rows.T
    robust = least_spread(gramian, 1 / (len(rows) - max_members))
    return most_harmful_coalition(gramian, max_members, robust)


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("power", [0.0, 0.75])
@pytest.mark.parametrize("m", [30, 60])
def test_honest_clients_are_hardly_ever_taken_for_one(m: int, power: float) -> None:
    """Where no evidence is asked for, ten of twenty draws; where none a client, six of those of 60."""
    draws = [honest(m, seed=seed, power=power) for seed in range(10)]
    assert not any(found(rows, 3 * m // 10).harm for rows in draws)


def test_one_behind_wide_directions_is_found_about_as_often_as_ever() -> None:
    """Seven of fifteen draws; three where the main directions are tried one way only."""
    draws = [honest(30, seed=seed, power=0.75) for seed in range(15)]
    for rows in draws:
        rows[:6, 20] += 1
    assert sum(found(rows, 6).members.tolist() == list(range(6)) for rows in draws) >= 6


def test_at_least_two_updates_are_left() -> None:
    """Leaving out three of four would move the mean three times as far as leaving out the fourth."""
    rows = 0.01 * honest(4, 50)
    rows[:3, 0] += 10
    equal = np.full(4, 0.25)
    assert most_harmful_coalition(rows @ rows.T, 4, equal).members.tolist() == [3]
