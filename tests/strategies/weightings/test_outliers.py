"""Copies, far updates and coalitions: who is recognised, and what no placement of updates achieves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from strategies import CoalitionFiltering, Filtering, NoRegret, aggregate, robust_mean
from strategies.updates import FloatArray
from strategies.weightings.parts.duplicates import voices
from strategies.weightings.parts.least_spread import least_spread
from strategies.weightings.parts.outliers import num_malicious
from strategies.weightings.parts.spectrum import centred
from strategies.weightings.parts.threshold import SLACK, stopping_threshold

from ..made_up_updates import attacked, honest


def test_without_attack_the_recommended_weighting_is_the_mean() -> None:
    for power in (0.0, 0.75):
        result = robust_mean(honest(60, power=power), epsilon=0.1)
        np.testing.assert_allclose(result.robust_weights, 1 / 60, rtol=1e-9)


@pytest.mark.parametrize("jitter", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("malicious", [3, 8, 12])
def test_a_coalition_is_left_out_by_the_recommended_weighting(malicious: int, jitter: float) -> None:
    rows = attacked(malicious=malicious, jitter=jitter)
    result = robust_mean(rows, epsilon=malicious / 30)
    one_voice = 1 / (31 - malicious) if jitter < 0.5 else 0
    assert result.robust_weights[:malicious].sum() <= one_voice + 1e-9


@pytest.mark.parametrize("kind", [CoalitionFiltering, Filtering, NoRegret])
def test_more_than_epsilon_asked_for_costs_little(kind: Any) -> None:
    rows = attacked(malicious=5)
    mean = aggregate(rows, kind(0.4)).mean
    noise = np.linalg.norm(rows[5:] - rows[5:].mean(axis=0), axis=1).mean() / 5
    assert np.linalg.norm(mean - rows[5:].mean(axis=0)) < noise


def test_auto_counts_who_looks_malicious() -> None:
    def count(rows: FloatArray) -> int:
        return num_malicious("auto", rows @ rows.T)

    assert count(honest(30)) == 0
    assert count(attacked(malicious=8)) == 8
    assert count(attacked(malicious=8, jitter=0)) in (7, 8), "copies have one voice or none"
    far = honest(30)
    far[:4] *= 50
    assert count(far) == 4


def malicious_rows(draw: Any, rows: FloatArray, number: int) -> FloatArray:
    """Draw where malicious clients stand: combinations of honest updates, at any distance."""
    mix = draw(arrays(np.float64, (number, len(rows)), elements=st.floats(-1, 1)))
    scale = draw(st.sampled_from([0.0, 0.01, 0.3, 1.0, 3.0, 1e3]))
    placed: FloatArray = rows.mean(axis=0) + scale * mix @ (rows - rows.mean(axis=0))
    return placed


@settings(max_examples=60, deadline=None)
@given(data=st.data(), power=st.sampled_from([0.0, 0.75]), number=st.integers(1, 8))
def test_malicious_clients_cannot_raise_the_threshold(data: Any, power: float, number: int) -> None:
    rows = honest(20, 60, power=power)
    both = np.vstack([rows, malicious_rows(data.draw, rows, number)])
    equal = np.full(20, 1 / 20)
    covariance = centred(rows @ rows.T, equal) / 20
    highest = SLACK * np.sum(np.linalg.eigvalsh(covariance) ** 4) ** 0.25
    assert stopping_threshold(both @ both.T, number) <= highest * 1.1, "up to the solver's last steps"


@settings(max_examples=60, deadline=None)
@given(data=st.data(), number=st.integers(1, 8))
def test_no_placement_merges_honest_clients(data: Any, number: int) -> None:
    rows = honest(20, 60)
    both = np.vstack([rows, malicious_rows(data.draw, rows, number)])
    groups = voices(both @ both.T, number)[:20]
    assert len(np.unique(groups)) == 20


def test_a_spread_that_vanishes_ends_the_search() -> None:
    one_far_update = np.diag([1.0] + 9 * [1e-155])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        q = least_spread(one_far_update, 1 / 8)
    assert q[1:] == pytest.approx(1 / 9)


def test_least_spread_is_at_most_that_of_any_allowed_subset() -> None:
    rows = honest(24, power=0.75)
    gramian = rows @ rows.T
    q = least_spread(gramian, 1 / 18)

    def spread(q: FloatArray) -> float:
        return float(np.trace(np.linalg.matrix_power(q[:, None] * centred(gramian, q), 4)))

    assert q.max() <= 1 / 18 * (1 + 1e-9)
    random = np.random.default_rng(4)
    for _ in range(200):
        subset = np.zeros(24)
        subset[random.choice(24, 18, replace=False)] = 1 / 18
        assert spread(q) <= spread(subset)
