"""Aggregation: equations (7) to (9), its invariances, its blocks and the form of what it returns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from strategies import (
    WEIGHTINGS,
    Filtering,
    Mean,
    NoRegret,
    PerformanceAware,
    Weighting,
    aggregate,
    robust_mean,
)
from strategies.arrays import FloatArray
from strategies.weightings import Defence

ROBUST: Sequence[Weighting] = (Filtering(0.2), NoRegret(0.2))
ALL: Sequence[Weighting] = (Mean(), *ROBUST)


@pytest.fixture
def updates() -> FloatArray:
    """Fifteen alike and four malicious updates, in rows 3, 7, 11 and 15 of 19."""
    random = np.random.default_rng(0)
    rows = 1 + random.normal(size=(19, 300)) / np.sqrt(300)
    rows[3::4] += 5 * random.normal(size=300) / np.sqrt(300)
    return rows


@pytest.fixture
def gaps() -> FloatArray:
    return np.random.default_rng(1).uniform(0.1, 1.0, size=19)


def honest_mean(updates: FloatArray) -> FloatArray:
    mean: FloatArray = np.delete(updates, np.s_[3::4], axis=0).mean(axis=0)
    return mean


def test_mean_without_tilt_is_the_mean(updates: FloatArray) -> None:
    result = aggregate(updates, Mean())
    np.testing.assert_allclose(result.mean, updates.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("weighting", ROBUST, ids=repr)
def test_robust_weights_keep_off_what_pulls_the_mean_away(
    updates: FloatArray, weighting: Weighting
) -> None:
    result = aggregate(updates, weighting)
    assert result.robust_weights[3::4].sum() < 0.1
    pulled = np.linalg.norm(updates.mean(axis=0) - honest_mean(updates))
    assert np.linalg.norm(result.mean - honest_mean(updates)) < 0.5 * pulled


@pytest.mark.parametrize("weighting", ALL, ids=repr)
def test_tilted_mean_is_what_equations_7_to_9_say(
    updates: FloatArray, gaps: FloatArray, weighting: Weighting
) -> None:
    tilt = PerformanceAware(mu=0.02, bound_reports=False)
    result = aggregate(updates, weighting, gaps, tilt)
    q = result.robust_weights
    robust = q @ updates
    z = q * gaps / 0.02
    tilted = (q * np.exp(z) / np.exp(z[q > 0]).sum()) @ updates
    expected = np.linalg.norm(robust) * tilted / np.linalg.norm(tilted)
    np.testing.assert_allclose(result.mean, expected, rtol=1e-9)
    np.testing.assert_allclose(result.weights @ updates, expected, rtol=1e-9)


@pytest.mark.parametrize("weighting", ALL, ids=repr)
def test_large_mu_gives_the_robust_mean(
    updates: FloatArray, gaps: FloatArray, weighting: Weighting
) -> None:
    tilted = aggregate(updates, weighting, gaps, PerformanceAware(mu=1e12))
    np.testing.assert_allclose(tilted.mean, aggregate(updates, weighting).mean, rtol=1e-9)


def test_small_mu_gives_the_worst_served_client_at_the_robust_length(
    updates: FloatArray, gaps: FloatArray
) -> None:
    result = aggregate(updates, Mean(), gaps, PerformanceAware(mu=1e-9, bound_reports=False))
    worst = updates[np.argmax(gaps)]
    length = np.linalg.norm(updates.mean(axis=0))
    np.testing.assert_allclose(result.mean, length * worst / np.linalg.norm(worst), rtol=1e-9)


@pytest.mark.parametrize("weighting", ALL, ids=repr)
def test_the_tilt_keeps_the_length_of_the_robust_mean(
    updates: FloatArray, gaps: FloatArray, weighting: Weighting
) -> None:
    plain = aggregate(updates, weighting)
    tilted = aggregate(updates, weighting, gaps, PerformanceAware(mu=0.01))
    assert np.linalg.norm(tilted.mean) == pytest.approx(np.linalg.norm(plain.mean), rel=1e-9)
    assert not np.allclose(tilted.mean, plain.mean)


def test_where_the_tilted_sum_vanishes_the_robust_mean_stands() -> None:
    opposed = np.array([[1.0, 0.0], [-1.0, 0.0]])
    result = aggregate(opposed, Mean(), [0.3, 0.3], PerformanceAware())
    np.testing.assert_array_equal(result.mean, [0.0, 0.0])


@pytest.mark.parametrize("weighting", ALL, ids=repr)
def test_the_order_of_clients_does_not_matter(
    updates: FloatArray, gaps: FloatArray, weighting: Weighting
) -> None:
    order = np.random.default_rng(2).permutation(19)
    tilt = PerformanceAware(mu=0.02)
    straight = aggregate(updates, weighting, gaps, tilt)
    shuffled = aggregate(updates[order], weighting, gaps[order], tilt)
    np.testing.assert_allclose(shuffled.weights, straight.weights[order], atol=1e-9)
    np.testing.assert_allclose(shuffled.mean, straight.mean, rtol=1e-8, atol=1e-10)


def test_a_list_of_arrays_is_aggregated_as_one_vector(updates: FloatArray, gaps: FloatArray) -> None:
    as_lists = [
        [row[:200].reshape(10, 20).astype(np.float32), np.asarray(row[200]), row[201:]]
        for row in updates
    ]
    result = aggregate(as_lists, NoRegret(), gaps, PerformanceAware())
    whole = aggregate(updates, NoRegret(), gaps, PerformanceAware())
    assert [a.shape for a in result.mean] == [(10, 20), (), (99,)]
    assert [a.dtype for a in result.mean] == [np.float32, np.float64, np.float64]
    flat = np.concatenate([a.reshape(-1) for a in result.mean])
    np.testing.assert_allclose(flat, whole.mean, rtol=1e-5, atol=1e-7)


def test_blocks_are_cut_within_each_array(updates: FloatArray, gaps: FloatArray) -> None:
    tilt = PerformanceAware(mu=0.02)
    as_lists = [[row[:250], row[250:]] for row in updates]
    result = aggregate(as_lists, Filtering(), gaps, tilt, block_size=100)
    cuts = [(0, 100), (100, 200), (200, 250), (250, 300)]
    alone = [aggregate(updates[:, low:high], Filtering(), gaps, tilt) for low, high in cuts]
    np.testing.assert_allclose(
        np.concatenate(result.mean), np.concatenate([part.mean for part in alone]), rtol=1e-12
    )
    shares = [(high - low) / 300 for low, high in cuts]
    averaged = sum(share * part.weights for share, part in zip(shares, alone, strict=True))
    np.testing.assert_allclose(result.weights, averaged, rtol=1e-12)


@pytest.mark.parametrize("weighting", ALL, ids=repr)
@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e200])
def test_an_update_that_is_not_finite_gets_no_weight(
    updates: FloatArray, weighting: Weighting, poison: float
) -> None:
    poisoned = updates.copy()
    poisoned[5, 17] = poison
    result = aggregate(poisoned, weighting)
    assert result.weights[5] == result.robust_weights[5] == 0
    others = aggregate(np.delete(updates, 5, axis=0), weighting)
    np.testing.assert_allclose(result.mean, others.mean, rtol=1e-12)


@pytest.mark.parametrize("method", sorted(WEIGHTINGS))
def test_methods_are_named(updates: FloatArray, method: str) -> None:
    result = robust_mean(updates, method=method, epsilon=0.2)
    assert result.robust_weights.sum() == pytest.approx(1)
    if not issubclass(WEIGHTINGS[method], Defence):  # which shorten updates besides
        np.testing.assert_array_equal(result.weights, result.robust_weights)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "median"}, "method must be one of mean"),
        ({"epsilon": 0.5}, "epsilon must be at least 0 and below 0.5"),
        ({"method": "filtering", "step": 1}, "options of 'filtering'"),
    ],
)
def test_wrong_arguments_are_named(
    updates: FloatArray, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        robust_mean(updates, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one client"),
        ([[np.zeros(3)], [np.zeros(4)]], "client 1 has"),
        ([[np.zeros(3, dtype=int)]], "array 0 of client 0 has dtype int64"),
        (np.zeros((2, 3, 4)), r"\(m, d\) array"),
        ([[np.full(3, np.nan)]], "finite"),
        ([[np.zeros(0)]], "coordinate"),
    ],
)
def test_wrong_updates_are_named(rows: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        aggregate(rows, Mean())  # type: ignore[arg-type]


def test_one_gap_for_each_update(updates: FloatArray) -> None:
    with pytest.raises(ValueError, match="loss_gaps must hold one number for each of 19"):
        aggregate(updates, Mean(), [0.1], PerformanceAware())
