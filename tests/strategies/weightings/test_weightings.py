"""Weightings: weights whatever was sent, their invariances, what malicious clients cannot reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from strategies import (
    WEIGHTINGS,
    Bucketing,
    BulyanSelection,
    CenteredClipping,
    CoalitionFiltering,
    DivideAndConquer,
    Filtering,
    GeometricMedian,
    HedgedNoRegret,
    Mean,
    MultiKrum,
    NearestNeighborMixing,
    NoRegret,
    Weighting,
    aggregate,
    robust_mean,
)
from strategies.arrays import FloatArray
from strategies.epsilon import max_malicious

from ..made_up_updates import attacked, honest

ALL: Sequence[Weighting] = (
    Mean(),
    CoalitionFiltering(0.3),
    CoalitionFiltering("auto"),
    Filtering(0.3),
    Filtering("auto"),
    NoRegret(0.3),
    HedgedNoRegret(0.3),
    MultiKrum(0.3),
    MultiKrum(0.3, num_selected=1),
    GeometricMedian(),
    CenteredClipping(),
    NearestNeighborMixing(GeometricMedian(), 0.3),
    Bucketing(CoalitionFiltering(0.45)),
    DivideAndConquer(0.3),
    BulyanSelection(0.3),
)
WITHSTANDING = [w for w in ALL if not isinstance(w, Mean | Bucketing | DivideAndConquer)]
"""Of those that each miss one of several far apart, none."""
WITH_EPSILON = (
    CoalitionFiltering,
    HedgedNoRegret,
    Filtering,
    NoRegret,
    MultiKrum,
    DivideAndConquer,
    BulyanSelection,
)
weightings = pytest.mark.parametrize("weighting", ALL, ids=repr)


def assert_weights(q: FloatArray, m: int) -> None:
    assert q.shape == (m,)
    assert np.isfinite(q).all()
    assert (q >= -1e-15).all()
    assert q.sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.mostly_slow(4)
@weightings
@settings(max_examples=25, deadline=None)
@given(
    rows=arrays(
        np.float64,
        st.tuples(st.integers(1, 9), st.integers(1, 4)),
        elements=st.sampled_from([0.0, 1.0, -1.0, 1.5, 1e30, -1e30, 1e-30, 5e-324, 1e-310, 0.3]),
    )
)
def test_whatever_is_sent_there_are_weights(weighting: Weighting, rows: FloatArray) -> None:
    assert_weights(aggregate(rows, weighting).robust_weights, len(rows))


@pytest.mark.mostly_slow(5)
@weightings
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("m", [1, 2, 3, 12])
@pytest.mark.parametrize("value", [0.0, 2.0])
def test_identical_updates_are_their_own_mean(
    weighting: Weighting, m: int, value: float, dtype: Any
) -> None:
    result = aggregate(np.full((m, 5), value, dtype=dtype), weighting)
    assert_weights(result.robust_weights, m)
    np.testing.assert_allclose(result.mean, value, rtol=1e-3)


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize("weighting", WITHSTANDING, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [1e3, 1e30])
def test_outliers_count_next_to_nothing(weighting: Weighting, length: float, dtype: Any) -> None:
    rows = honest(30)
    rows[:6] = length * np.random.default_rng(5).normal(size=(6, 400))
    result = aggregate(rows.astype(dtype), weighting)
    centre = rows[6:].mean(axis=0)
    reach = np.linalg.norm(rows[6:] - centre, axis=1).max()
    assert np.linalg.norm(result.mean.astype(np.float64) - centre) < 1.2 * reach


@pytest.mark.mostly_slow(4)
@weightings
def test_scale_and_common_shift_do_not_matter(weighting: Weighting) -> None:
    rows = attacked()
    q = aggregate(rows, weighting).robust_weights
    np.testing.assert_allclose(aggregate(1e-6 * rows, weighting).robust_weights, q, atol=1e-8)
    if not isinstance(weighting, Bucketing):  # it draws clients in the order of their lengths
        np.testing.assert_allclose(aggregate(rows + 1.5, weighting).robust_weights, q, atol=1e-8)


@pytest.mark.mostly_slow(4)
@weightings
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_order_of_clients_changes_no_digit(weighting: Weighting, dtype: Any) -> None:
    rows = attacked(jitter=0.3).astype(dtype)
    order = np.random.default_rng(2).permutation(len(rows))
    straight, shuffled = aggregate(rows, weighting), aggregate(rows[order], weighting)
    np.testing.assert_array_equal(shuffled.robust_weights, straight.robust_weights[order])
    np.testing.assert_array_equal(shuffled.mean, straight.mean)


@pytest.mark.mostly_slow(4)
@weightings
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cut_into_arrays_does_not_matter(weighting: Weighting, dtype: Any) -> None:
    rows = np.tile(attacked(), (1, 10)).astype(dtype)
    rows += np.random.default_rng(3).normal(size=rows.shape).astype(dtype) / 100
    whole = aggregate([[row] for row in rows], weighting).robust_weights
    for cuts in ([2300], [3, 1300, 3000, 3999]):
        parts = [np.split(row, cuts) for row in rows]
        np.testing.assert_array_equal(aggregate(parts, weighting).robust_weights, whole)


@pytest.mark.parametrize("kind", WITH_EPSILON)
@pytest.mark.parametrize("epsilon", [-0.1, 0.5, 1.0, np.nan, "maybe"])
def test_epsilon_out_of_its_range_is_named(kind: Any, epsilon: Any) -> None:
    with pytest.raises(ValueError, match=r"epsilon must be at least 0 and below 0\.5"):
        kind(epsilon)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiKrum(num_selected=0), "num_selected must be at least 1, got 0"),
        (lambda: GeometricMedian(smoothing=0), "smoothing must be above 0, got 0"),
        (lambda: GeometricMedian(max_iterations=0), "max_iterations must be at least 1"),
        (lambda: GeometricMedian(tolerance=-1), "tolerance must be at least 0"),
        (lambda: CenteredClipping(radius=0), "radius must be above 0, got 0"),
        (lambda: CenteredClipping(max_iterations=0), "max_iterations must be at least 1"),
        (lambda: Bucketing(Mean(), bucket_size=0), "bucket_size must be at least 1"),
        (lambda: Bucketing(Mean(), seed=-1), "seed must be at least 0"),
        (lambda: Filtering(xi=-1), "xi must be at least 0"),
        (lambda: NoRegret(eta=0), "eta must be above 0"),
        (lambda: DivideAndConquer(filtered=-1), "filtered must be at least 0"),
    ],
)
def test_options_out_of_their_range_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_multi_krum_selects_m_minus_f_by_default() -> None:
    q = MultiKrum(0.2)(attacked() @ attacked().T)
    assert np.count_nonzero(q) == 24
    assert max_malicious(0.2, 30) == 6


def test_geometric_median_minimises_the_sum_of_distances() -> None:
    rows = attacked()
    q = GeometricMedian()(rows @ rows.T)
    offsets = rows - q @ rows
    pull = (offsets / np.linalg.norm(offsets, axis=1)[:, None]).sum(axis=0)
    assert np.linalg.norm(pull) < 1e-6


def test_centered_clipping_with_a_wide_radius_is_the_mean() -> None:
    rows = attacked()
    np.testing.assert_allclose(CenteredClipping(radius=1e9)(rows @ rows.T), 1 / 30, rtol=1e-9)


def test_mixing_averages_neighbours_and_maps_the_weights_back() -> None:
    rows = honest(10)
    mixed = np.array([rows[np.argsort(np.linalg.norm(rows - r, axis=1))[:7]].mean(axis=0) for r in rows])
    wrapped = NearestNeighborMixing(GeometricMedian(), 0.3)(rows @ rows.T) @ rows
    np.testing.assert_allclose(wrapped, GeometricMedian()(mixed @ mixed.T) @ mixed, rtol=1e-6, atol=1e-9)


def test_bucketing_averages_whole_buckets() -> None:
    rows = honest(9)
    q = Bucketing(MultiKrum(0.2, num_selected=1), bucket_size=3)(rows @ rows.T)
    np.testing.assert_allclose(np.sort(q)[-3:], 1 / 3)
    np.testing.assert_array_equal(np.sort(q)[:-3], 0)


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("method", sorted(WEIGHTINGS))
def test_every_method_takes_auto(method: str) -> None:
    assert_weights(robust_mean(attacked(), method=method, epsilon="auto").robust_weights, 30)
