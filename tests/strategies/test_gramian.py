"""The Gramian in either precision: no length, common part or absurd client blurs what weightings see."""

from __future__ import annotations

import numpy as np
import pytest

from strategies import CoalitionFiltering, Filtering, NoRegret, Weighting, aggregate
from strategies.arrays import FloatArray
from strategies.gramian import gramian_of, weighted_sum
from strategies.updates import Block, ClientUpdates

from .made_up_updates import attacked

ROBUST = pytest.mark.parametrize(
    "weighting", [CoalitionFiltering(0.3), Filtering(0.3), NoRegret(0.3)], ids=repr
)


def weights(rows: FloatArray, weighting: Weighting) -> FloatArray:
    return aggregate(rows, weighting).robust_weights


@pytest.mark.mostly_slow(4)
@ROBUST
@pytest.mark.parametrize("length", [1e-30, 1e-20, 1.0, 1e18])
def test_in_single_precision_no_length_is_too_small_or_too_large(
    length: float, weighting: Weighting
) -> None:
    rows = (length * attacked()).astype(np.float32)
    np.testing.assert_allclose(
        weights(rows, weighting), weights(rows.astype(np.float64), weighting), atol=1e-4
    )


@ROBUST
def test_in_single_precision_a_large_common_part_hides_no_difference(weighting: Weighting) -> None:
    rows = (attacked() + 1000).astype(np.float32)
    np.testing.assert_allclose(
        weights(rows, weighting), weights(rows.astype(np.float64), weighting), atol=1e-4
    )


def test_one_absurd_update_does_not_blur_the_others() -> None:
    rows = attacked()
    others = rows[1:] - rows[1:].mean(axis=0)
    rows[0] *= 1e15
    gramian = gramian_of(ClientUpdates(rows), Block(0, rows.shape[1])).shifted[1:, 1:]
    equal = np.full((29, 29), 1 / 29)
    centring = np.eye(29) - equal
    np.testing.assert_allclose(centring @ gramian @ centring, others @ others.T, atol=1e-9)


def test_the_sum_of_unshifted_updates_has_its_length() -> None:
    rows = attacked() + 3
    gramian = gramian_of(ClientUpdates(rows), Block(0, rows.shape[1]))
    np.testing.assert_allclose(gramian.unshifted, rows @ rows.T, rtol=1e-9)
    factors = np.linspace(-0.2, 1, 30)
    assert gramian.norm_of_sum(factors) == pytest.approx(np.linalg.norm(factors @ rows))


def test_what_has_no_weight_is_not_read() -> None:
    updates = ClientUpdates(np.array([[np.nan, np.inf], [1.0, 2.0], [3.0, 4.0]]))
    out = np.zeros(2)
    weighted_sum(updates, Block(0, 2), np.array([0.0, 0.5, 0.5]), out, np.float64)
    np.testing.assert_array_equal(out, [2.0, 3.0])
