"""The tilt: its limits in mu, equation (8) with the bound off, and what a lying client can reach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import PerformanceAware
from strategies.performance_aware import weighted_quantile

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
def test_a_report_that_is_no_finite_number_weighs_nothing(report: float) -> None:
    tilted = PerformanceAware()(Q, [report, 0.5, 0.2, 2.0, 9.0])
    assert tilted[0] == 0
    assert (tilted[1:4] > 0).all()


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


def test_the_bound_is_a_quantile_by_robust_weight() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3])
    assert weighted_quantile(values, weights, 0.5) == 1.0
    assert weighted_quantile(values, weights, 0.8) == 2.0
    assert weighted_quantile(values, weights, 1.0) == 3.0


@pytest.mark.parametrize("m", [2, 20, 500])
def test_by_default_a_gap_larger_by_one_counts_e_times_as_much(m: int) -> None:
    gaps = np.r_[1.5, np.full(m - 1, 0.5)]
    tilted = PerformanceAware(bound_reports=False)(np.full(m, 1 / m), gaps)
    assert tilted[0] / tilted[1] == pytest.approx(np.e)


@pytest.mark.parametrize("mu", [0.0, -1.0, math.nan])
def test_mu_must_be_positive(mu: float) -> None:
    with pytest.raises(ValueError, match="mu must be above 0"):
        PerformanceAware(mu=mu)
