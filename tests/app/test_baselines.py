"""Flower's robust strategies as baselines: how many they trim, and what ends no run of theirs either."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pawbrofl_app.baselines import BASELINES, baseline
from strategies.diagnostics import RoundDiagnostics
from strategies.epsilon import max_malicious
from tests.strategies.one_round import AggregateFit, Reply
from tests.strategies.replies.test_hostile_replies import HOSTILE
from tests.strategies.test_pawbrofl_strategy import START, honest_replies


def rounds_of(name: str, epsilon: float = 0.2) -> tuple[AggregateFit, list[RoundDiagnostics]]:
    rounds: list[RoundDiagnostics] = []
    options: dict[str, Any] = {"min_available_clients": 1, "min_fit_clients": 1}
    told: dict[str, Any] = {"client_id_key": "partition_id", "on_round": rounds.append}
    return AggregateFit(baseline(name, epsilon, **options, **told)), rounds


@pytest.mark.parametrize(
    ("epsilon", "m"), [(0.0, 3), (0.2, 1), (0.2, 19), (0.2, 20), (0.29, 100), (0.49, 5), (0.49, 99)]
)
def test_the_trimmed_mean_trims_as_many_as_may_be_malicious(epsilon: float, m: int) -> None:
    values = 2.0 ** np.arange(m)
    replies = [Reply(i, [values[i : i + 1]], {"partition_id": i}) for i in range(m)]
    model = rounds_of("fed-trimmed-avg", epsilon)[0].run([np.zeros(1)], replies)
    assert model is not None
    f = max_malicious(epsilon, m)
    np.testing.assert_allclose(model[0], values[f : m - f].mean(), rtol=1e-12)


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", BASELINES)
def test_a_hostile_model_is_left_out_with_its_reason(name: str, kind: str) -> None:
    replies = honest_replies()
    replies[3].model = HOSTILE[kind]
    way, rounds = rounds_of(name)
    model = way.run(START, replies)
    assert model is not None
    assert all(np.abs(array - 1).max() < 0.5 for array in model)
    assert [bool(client.left_out) for client in rounds[0].clients] == [n == 3 for n in range(10)]
    assert [client.judged_malicious for client in rounds[0].clients] == [n == 3 for n in range(10)]
    assert math.isnan(rounds[0].clients[0].weight)


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", BASELINES)
def test_where_no_reply_is_a_model_the_old_one_is_kept(name: str, kind: str) -> None:
    assert rounds_of(name)[0].run(START, [Reply(1, HOSTILE[kind]), Reply(2, HOSTILE[kind])]) is None


@pytest.mark.parametrize("number", [None, "3", 2.5, True, 2**20_000], ids=type)
@pytest.mark.parametrize("name", BASELINES)
def test_who_reports_no_number_goes_by_its_node(name: str, number: Any) -> None:
    replies = honest_replies()
    replies[3].metrics["partition_id"] = number
    if number is None:
        del replies[3].metrics["partition_id"]
    way, rounds = rounds_of(name)
    assert way.run(START, replies) is not None
    assert rounds[0].clients[9].client == str(replies[3].node)


@pytest.mark.parametrize("name", BASELINES)
def test_arrival_has_no_part_in_it(name: str) -> None:
    replies = honest_replies()
    straight, turned = (rounds_of(name)[0].run(START, each) for each in (replies, replies[::-1]))
    assert straight is not None
    assert turned is not None
    for array, other in zip(straight, turned, strict=True):
        np.testing.assert_array_equal(array, other)
