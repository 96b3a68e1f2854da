"""The tilt: its limits in mu, equation (8) with the bound off, and what a lying client can reach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import Mean, PerformanceAware, ScaleFreeTilt, Tilt, aggregate
from strategies.performance_aware import bounded_reports, weighted_median

Q = np.array([0.4, 0.3, 0.2, 0.1, 0.0])
GAPS = np.array([0.1, 0.5, 0.2, 2.0, 9.0])


def test_without_bound_it_is_equation_8() -> None:
    z = Q * GAPS / 0.07
    expected = Q * np.exp(z) / np.exp(z[Q > 0]).sum()
    tilted = PerformanceAware(mu=0.07, bound_reports=False)(Q, GAPS)
    np.testing.assert_allclose(tilted, expected, rtol=1e-12)


def test_large_mu_leaves_the_proportions_of_the_robust_weights() -> None:
    tilted = PerformanceAware(mu=1e12)(Q, GAPS)
    np.testing.assert_allclose(tilted / tilted.sum(), Q, rtol=1e-9)


def test_small_mu_leaves_the_worst_served_client_alone() -> None:
    tilted = PerformanceAware(mu=1e-12, bound_reports=False)(Q, GAPS)
    assert np.flatnonzero(tilted).tolist() == [int(np.argmax(Q * GAPS))]


@given(
    gaps=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=5, max_size=5),
    mu=st.floats(min_value=1e-300, max_value=1e300),
    bound=st.booleans(),
)
def test_no_report_makes_a_weight_negative_or_not_finite(
    gaps: list[float], mu: float, bound: bool
) -> None:
    tilted = PerformanceAware(mu=mu, bound_reports=bound)(Q, gaps)
    assert np.isfinite(tilted).all()
    assert (tilted >= 0).all()
    assert tilted[4] == 0, "a client without robust weight gains none"


@pytest.mark.parametrize("report", [math.nan, math.inf, -math.inf])
def test_a_report_that_is_no_finite_number_counts_as_the_median(report: float) -> None:
    tilts: list[Tilt] = [PerformanceAware(), PerformanceAware(bound_reports=False), ScaleFreeTilt()]
    for tilt in tilts:
        tilted = tilt(Q, [report, 0.5, 0.5, 2.0, 9.0])
        median = tilt(Q, [0.5, 0.5, 0.5, 2.0, 9.0])
        assert tilted[0] / tilted[1] == pytest.approx(median[0] / median[1])
        assert (tilted[:4] > 0).all()
        assert tilted[4] == 0


def test_without_any_finite_report_nothing_is_tilted() -> None:
    np.testing.assert_array_equal(PerformanceAware()(Q, [math.nan] * 5), Q)


@pytest.mark.parametrize("lie", [10.0, 1e6, 1e300])
def test_a_lie_of_any_size_gains_what_the_largest_honest_report_would(lie: float) -> None:
    q = np.full(10, 0.1)
    honest = np.linspace(0.1, 1.0, 10)
    lying = honest.copy()
    lying[0] = lie
    weights = PerformanceAware(mu=0.05, epsilon=0.2)(q, lying)
    assert weights[0] <= weights[1:].max()


def test_reports_are_cut_at_what_all_but_epsilon_of_the_clients_stay_within() -> None:
    reports = np.array([0.3, -0.1, 5.0, 0.2, 0.1])
    np.testing.assert_array_equal(bounded_reports(reports, 0.2), [0.3, 0.0, 0.3, 0.2, 0.1])
    np.testing.assert_array_equal(bounded_reports(reports, 0.0), [0.3, 0.0, 5.0, 0.2, 0.1])
    np.testing.assert_array_equal(bounded_reports(reports, 0.4), [0.2, 0.0, 0.2, 0.2, 0.1])


@given(
    honest=st.lists(st.floats(-1, 10), min_size=8, max_size=8),
    lies=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=2),
)
def test_no_lie_of_epsilon_m_clients_counts_more_than_the_largest_honest_report(
    honest: list[float], lies: list[float]
) -> None:
    bounded = bounded_reports(np.array(honest + lies), epsilon=0.2)
    assert np.nanmax(bounded) <= max(0.0, *honest)


def test_the_median_is_by_weight() -> None:
    values = np.array([3.0, 1.0, 2.0])
    assert weighted_median(values, np.array([0.2, 0.5, 0.3])) == 1.0
    assert weighted_median(values, np.array([0.2, 0.4, 0.4])) == 2.0
    assert weighted_median(values, np.array([0.6, 0.2, 0.2])) == 3.0


def test_a_report_that_is_no_number_only_adds_to_those_that_lie() -> None:
    bounded = bounded_reports(np.array([0.5, np.nan, 0.1, 0.2, np.inf]), epsilon=0.2)
    np.testing.assert_array_equal(bounded, [0.5, np.nan, 0.1, 0.2, np.nan])


@pytest.mark.parametrize("m", [2, 20, 500])
def test_by_default_a_gap_larger_by_one_counts_e_times_as_much(m: int) -> None:
    gaps = np.r_[1.5, np.full(m - 1, 0.5)]
    tilted = PerformanceAware(bound_reports=False)(np.full(m, 1 / m), gaps)
    assert tilted[0] / tilted[1] == pytest.approx(np.e)


def test_by_default_clients_without_robust_weight_count_among_the_m() -> None:
    """So mu does not jump where somebody is left out: only the weights of those that stay grow."""
    q = np.r_[np.full(10, 0.1), np.zeros(10)]
    tilted = PerformanceAware(bound_reports=False)(q, np.r_[1.5, np.full(19, 0.5)])
    assert tilted[0] / tilted[1] == pytest.approx(np.e**2)


@pytest.mark.parametrize("mu", [0.0, -1.0, math.nan])
def test_mu_must_be_positive(mu: float) -> None:
    with pytest.raises(ValueError, match="mu must be above 0"):
        PerformanceAware(mu=mu)


@pytest.mark.parametrize("max_tilt", [0.9, math.inf, math.nan])
def test_max_tilt_must_be_at_least_1(max_tilt: float) -> None:
    with pytest.raises(ValueError, match="max_tilt must be at least 1 and finite"):
        PerformanceAware(max_tilt=max_tilt)


def test_preferences_multiply_the_robust_weights() -> None:
    preferences = [1.0, 2.0, 0.0, 1.0, 1.0]
    preferred = Q * preferences / (Q @ preferences)
    tilted = PerformanceAware(mu=0.1, bound_reports=False, preferences=preferences)(Q, GAPS)
    expected = PerformanceAware(mu=0.1, bound_reports=False)(preferred, GAPS)
    np.testing.assert_allclose(tilted, expected, rtol=1e-12)
    untilted = PerformanceAware(preferences=preferences)(Q, [math.nan] * 5)
    np.testing.assert_allclose(untilted, preferred, rtol=1e-12)


def test_preferences_by_name_follow_the_clients_and_are_nobody_s_where_two_claim_them() -> None:
    tilt = PerformanceAware(preferences={"7": 3.0, "9": 0.5})
    assert tilt.at_round(1, ["9", "8", "7"]).preferences == [0.5, 1.0, 3.0]
    assert tilt.at_round(1, ["7", "9", "7"]).preferences == [1.0, 0.5, 1.0]
    with pytest.raises(ValueError, match="bound to clients with at_round"):
        tilt(Q, GAPS)


def test_preferences_keep_to_their_clients_where_an_update_is_left_out() -> None:
    updates = np.array([[1.0, 0.0], [np.nan, 0.0], [0.0, 1.0]])
    tilt = PerformanceAware(mu=1e9, preferences=[1.0, 5.0, 3.0])
    weights = aggregate(updates, Mean(), [0.1, 0.1, 0.1], tilt).weights
    assert weights[2] / weights[0] == pytest.approx(3)


@pytest.mark.parametrize("preferences", [[0.0] * 5, [0.0, 0.0, 0.0, 0.0, 3.0]])
def test_preferences_for_nobody_who_counts_change_nothing(preferences: list[float]) -> None:
    expected = PerformanceAware(mu=0.1)(Q, GAPS)
    tilted = PerformanceAware(mu=0.1, preferences=preferences)(Q, GAPS)
    np.testing.assert_allclose(tilted, expected, rtol=1e-12)


@pytest.mark.parametrize("preferences", [[1.0, -1.0], {"a": math.inf}])
def test_preferences_must_not_be_negative(preferences: list[float] | dict[str, float]) -> None:
    with pytest.raises(ValueError, match="preferences must be at least 0 and finite"):
        PerformanceAware(preferences=preferences)


def test_there_is_a_preference_for_each_client() -> None:
    with pytest.raises(ValueError, match="one number for each of 5 clients, got 2"):
        PerformanceAware(preferences=[1.0, 2.0])(Q, GAPS)
