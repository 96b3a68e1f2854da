"""The winsorized mean: a mean, unless extremes are drawn in; never outside what honest clients sent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.winsorized_mean import winsorized_mean


def test_without_epsilon_it_is_the_weighted_mean() -> None:
    random = np.random.default_rng(0)
    arrays = list(random.normal(size=(6, 3, 5)))
    weights = random.uniform(size=6)
    expected = np.average(arrays, axis=0, weights=weights)
    np.testing.assert_allclose(winsorized_mean(arrays, weights, 0.0), expected, rtol=1e-12)


def test_extremes_are_replaced_by_their_neighbours() -> None:
    arrays = [np.array([value]) for value in (-100.0, 1.0, 2.0, 3.0, 900.0)]
    mean = winsorized_mean(arrays, np.ones(5), 0.2)
    np.testing.assert_allclose(mean, np.mean([1, 1, 2, 3, 3]))


@given(seed=st.integers(0, 1000), num_malicious=st.integers(0, 4), extreme=st.floats(-1e30, 1e30))
@settings(max_examples=40, deadline=None)
def test_it_lies_between_honest_values_whatever_malicious_ones_weigh(
    seed: int, num_malicious: int, extreme: float
) -> None:
    random = np.random.default_rng(seed)
    honest = random.normal(size=(10 - num_malicious, 7))
    malicious = np.full((num_malicious, 7), extreme)
    weights = np.concatenate([np.ones(len(honest)), np.full(num_malicious, 50.0)])
    mean = winsorized_mean(list(np.concatenate([honest, malicious])), weights, 0.4)
    assert np.all(mean >= honest.min(axis=0) - 1e-12)
    assert np.all(mean <= honest.max(axis=0) + 1e-12)


@pytest.mark.parametrize("size", [0, 1, 10_000])
def test_any_size_and_shape_comes_back(size: int) -> None:
    arrays = [np.full((size, 1), value, np.float32) for value in (1, 2, 3)]
    mean = winsorized_mean(arrays, np.array([1.0, 0.0, 1.0]), 0.1)
    np.testing.assert_array_equal(mean, np.full((size, 1), 2.0))
