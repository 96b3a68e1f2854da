"""f of a round: what its draw may hold, whoever does not answer, and how many answers are enough."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from strategies import (
    Bucketing,
    CoalitionFiltering,
    Filtering,
    GeometricMedian,
    Mean,
    NearestNeighborMixing,
    Weighting,
)
from strategies.epsilon import max_malicious
from strategies.participation import Participation, most_in_a_draw

from .one_round import BOTH_APIS, EACH_API, AggregateTrain, Model, Reply

START = [np.zeros(300, dtype=np.float32)]
ATTACKERS = {1, 2}
EPSILONS = st.floats(0, 0.49)


def reply_of(node: int, malicious: bool) -> Reply:
    """An honest update of length about one, or such a one times -10."""
    draws = np.random.default_rng(node)
    update = 0.05 + draws.normal(size=300) / 20
    return Reply(node, [(START[0] + (-10 if malicious else 1) * update).astype(np.float32)])


@given(data=st.data())
def test_f_of_a_draw_is_the_quantile_of_the_hypergeometric_distribution(data: Any) -> None:
    num_clients = data.draw(st.integers(1, 200))
    malicious = data.draw(st.integers(0, num_clients))
    drawn = data.draw(st.integers(1, num_clients))
    exceeded = hypergeom(num_clients, malicious, drawn).sf(most_in_a_draw(malicious, num_clients, drawn))
    assert exceeded <= 0.01 * (1 + 1e-9)
    fewer = most_in_a_draw(malicious, num_clients, drawn) - 1
    assert fewer < 0 or hypergeom(num_clients, malicious, drawn).sf(fewer) > 0.01 * (1 - 1e-9)


@given(epsilon=EPSILONS, num_clients=st.integers(1, 300))
def test_where_everybody_takes_part_nothing_is_changed(epsilon: float, num_clients: int) -> None:
    everybody = Participation(num_clients, num_clients, num_clients)
    assert everybody.epsilon(epsilon) == epsilon
    assert everybody.max_malicious(epsilon) == max_malicious(epsilon, num_clients)
    weighting = NearestNeighborMixing(Bucketing(Filtering(epsilon)), epsilon)
    assert everybody.weighting(weighting) is weighting


@given(data=st.data(), epsilon=EPSILONS)
def test_missing_replies_do_not_lower_f(data: Any, epsilon: float) -> None:
    asked = data.draw(st.integers(1, 100))
    usable = data.draw(st.integers(1, asked))
    told = Participation(asked, asked, usable).epsilon(epsilon)
    assert max_malicious(told, usable) == min(max_malicious(epsilon, asked), (usable - 1) // 2)


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        (CoalitionFiltering(0.2), CoalitionFiltering(0.4)),
        (CoalitionFiltering("auto"), CoalitionFiltering("auto")),
        (Filtering(0.2, xi=1.0), Filtering(0.4, xi=1.0)),
        (NearestNeighborMixing(Filtering(0.2), 0.2), NearestNeighborMixing(Filtering(0.4), 0.4)),
        (Bucketing(Filtering(0.4)), Bucketing(Filtering(0.4))),
        (Bucketing(Filtering(0.2)), Bucketing(Filtering(0.4))),
        (GeometricMedian(), GeometricMedian()),
        (Mean(), Mean()),
    ],
    ids=repr,
)
def test_weightings_are_told_f_of_the_draw(weighting: Weighting, expected: Weighting) -> None:
    """10 of 20 clients, of whom 4 may be malicious: all four may be drawn."""
    assert Participation(20, 10, 10).max_malicious(0.2) == 4
    assert Participation(20, 10, 10).weighting(weighting) == expected


@pytest.mark.parametrize("api", EACH_API)
def test_attackers_get_no_weight_whatever_the_draw(api: Any) -> None:
    """With f = epsilon m of those drawn, a round of 5 with both attackers left them a weight of 0.4."""
    random.seed(1)
    fraction = "fraction_train" if api is AggregateTrain else "fraction_fit"
    way = api(**{fraction: 0.5})
    for server_round in range(1, 31):
        assert way.play(START, range(10), train, server_round) is not None
    drawn = [{int(client.client) for client in each.clients} for each in way.rounds]
    assert max(len(clients & ATTACKERS) for clients in drawn) == 2, "some rounds have both"
    for each in way.rounds:
        assert len(each.clients) == 5
        for client in each.clients:
            assert client.judged_malicious == (int(client.client) in ATTACKERS)


def train(node: int, _: Model) -> Reply:
    return reply_of(node, node in ATTACKERS)


@pytest.mark.parametrize("api", BOTH_APIS)
def test_those_who_do_not_answer_may_be_the_honest_ones(api: Any) -> None:
    """20 asked, 4 malicious, 9 answer: f is 4 still, not 2."""
    way = api()
    replies = [reply_of(node, node < 4) for node in range(9)]
    assert way.run(START, replies, silent=range(9, 20)) is not None
    judged = {int(client.client) for client in way.rounds[0].clients if client.judged_malicious}
    assert judged == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("asked", "answers", "enough"), [(10, 1, 0), (10, 4, 0), (10, 5, 1), (20, 8, 0)]
)
@pytest.mark.parametrize("api", BOTH_APIS)
def test_answers_of_whom_half_may_be_malicious_make_no_step(
    api: Any, asked: int, answers: int, enough: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flwr")
    way = api()
    replies = [reply_of(node, False) for node in range(answers)]
    model = way.run(START, replies, silent=range(answers, asked))
    assert (model is not None) == enough
    if not enough:
        assert "aggregated 0 updates" in caplog.text
        assert "more than half might be malicious: the model is kept" in caplog.text
    assert not any(client.judged_malicious for client in way.rounds[0].clients)
    assert api(weighting=Mean()).run(START, replies, silent=range(answers, asked)) is not None
