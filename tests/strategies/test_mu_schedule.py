"""Schedules of mu: where they begin and end, in between, and what the strategy makes of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import CosineMu, EffectiveClients, ExponentialMu, LinearMu, MuSchedule, PerformanceAware
from strategies.mu_schedule import effective_number

SCHEDULES = [LinearMu, CosineMu, ExponentialMu]
Q = np.full(10, 0.1)
GAPS = np.linspace(0.1, 1.9, 10)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("start", "end"), [(1.0, 0.01), (0.01, 1.0)])
def test_it_goes_from_start_to_end_and_stays_there(
    schedule: type[MuSchedule], start: float, end: float
) -> None:
    values = [schedule(start, end, 20).at_round(n) for n in range(1, 25)]
    assert values[0] == pytest.approx(start)
    assert values[19:] == pytest.approx([end] * 5)
    steps = np.diff(values[:20])
    assert (steps < 0).all() if start > end else (steps > 0).all()


def test_half_way() -> None:
    assert LinearMu(1.0, 0.01, 21).at_round(11) == pytest.approx(0.505)
    assert CosineMu(1.0, 0.01, 21).at_round(11) == pytest.approx(0.505)
    assert ExponentialMu(1.0, 0.01, 21).at_round(11) == pytest.approx(0.1)
    assert CosineMu(1.0, 0.01, 21).at_round(2) > LinearMu(1.0, 0.01, 21).at_round(2)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_single_round_has_the_end(schedule: type[MuSchedule]) -> None:
    assert schedule(1.0, 0.01, 1).at_round(1) == 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 5), "start must be above 0"),
        ((1.0, math.inf, 5), "end must be above 0 and finite"),
        ((1.0, 1.0, 0), "num_rounds must be at least 1"),
    ],
)
def test_invalid_arguments_are_named(arguments: tuple[float, float, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinearMu(*arguments)


def test_the_tilt_of_a_round_is_that_with_its_mu() -> None:
    tilt = PerformanceAware(mu=ExponentialMu(1.0, 0.01, 21))
    np.testing.assert_array_equal(tilt.at_round(11)(Q, GAPS), PerformanceAware(mu=0.1)(Q, GAPS))
    with pytest.raises(ValueError, match="bound to a round with at_round"):
        tilt(Q, GAPS)
    assert PerformanceAware(mu=0.3).at_round(4).mu == 0.3


@pytest.mark.parametrize("number", [1.5, 4.0, 9.0])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_chosen_number_of_clients_counts_whatever_the_gaps_scale(
    number: float, scale: float
) -> None:
    tilted = PerformanceAware(EffectiveClients(number), bound_reports=False)(Q, scale * GAPS)
    assert effective_number(tilted) == pytest.approx(number, rel=1e-9)


def test_what_cannot_be_reached_is_approached() -> None:
    even = PerformanceAware(EffectiveClients(10.0))(Q, GAPS)
    np.testing.assert_allclose(even / even.sum(), Q)
    strongest = PerformanceAware(EffectiveClients(2.0))(Q, GAPS)
    assert strongest.max() / strongest.min() == pytest.approx(2.0)
    same = PerformanceAware(EffectiveClients(2.0))(Q, np.full(10, 0.4))
    np.testing.assert_allclose(same / same.sum(), Q)


@given(
    weights=st.lists(st.floats(0.01, 1), min_size=3, max_size=8),
    number=st.floats(1, 8),
    gaps=st.lists(st.floats(0, 1e3), min_size=8, max_size=8),
)
def test_no_more_clients_count_than_chosen_or_than_the_robust_weights_leave(
    weights: list[float], number: float, gaps: list[float]
) -> None:
    q = np.array(weights) / sum(weights)
    tilted = PerformanceAware(EffectiveClients(number), bound_reports=False)(q, gaps[: len(q)])
    untilted = effective_number(q)
    if number >= untilted:
        np.testing.assert_allclose(tilted / tilted.sum(), q)
    else:
        one_alone = effective_number(tilted) <= number * (1 + 1e-6)
        ties = np.isclose(q * gaps[: len(q)], (q * gaps[: len(q)]).max()).sum() > 1
        assert one_alone or ties


def test_the_effective_number_of_equal_weights_is_how_many_there_are() -> None:
    assert effective_number(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_number(np.array([1.0, 0.0, 0.0])) == 1


def test_at_least_one_client_must_count() -> None:
    with pytest.raises(ValueError, match="number must be at least 1"):
        EffectiveClients(0.5)
