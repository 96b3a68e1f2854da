"""The scale-free tilt: what it does not depend on, and what a lying client can reach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from strategies.arrays import FloatArray
from strategies.scale_free_tilt import ScaleFreeTilt

Q = np.array([0.3, 0.2, 0.2, 0.1, 0.2, 0.0])
GAPS = np.array([0.1, 0.5, 0.2, 2.0, 0.3, 9.0])


def test_it_is_the_formula_by_hand() -> None:
    # Half of the weight is reached at 0.2; the offsets' at 0.1, those of 0.1, 0.2 and 0.3.
    z = (GAPS[:5] - 0.2) / (1.4826 * 0.1)
    expected = Q[:5] * np.exp(np.clip(0.5 * z, -math.log(4) / 2, math.log(4) / 2))
    tilted = ScaleFreeTilt(0.5, max_tilt=4.0)(Q, GAPS)
    np.testing.assert_allclose(tilted, [*(expected / expected.sum()), 0.0], rtol=1e-12)


@given(factor=st.floats(1e-6, 1e6), added=st.floats(-10, 10))
def test_neither_scale_nor_level_of_the_gaps_matters(factor: float, added: float) -> None:
    np.testing.assert_allclose(ScaleFreeTilt()(Q, factor * (GAPS + added)), ScaleFreeTilt()(Q, GAPS))


@given(order=st.permutations(range(6)))
def test_permuting_the_clients_permutes_the_weights(order: list[int]) -> None:
    np.testing.assert_allclose(ScaleFreeTilt()(Q[order], GAPS[order]), ScaleFreeTilt()(Q, GAPS)[order])


@pytest.mark.parametrize("tilt", [ScaleFreeTilt(0.0), ScaleFreeTilt(max_tilt=1.0)], ids=repr)
def test_without_strength_or_room_nothing_is_tilted(tilt: ScaleFreeTilt) -> None:
    np.testing.assert_allclose(tilt(Q, GAPS), Q, rtol=1e-12)


def test_where_most_report_the_same_nothing_is_tilted() -> None:
    np.testing.assert_allclose(ScaleFreeTilt()(Q, [1.0, 1.0, 1.0, 5.0, 1.0, 0.0]), Q, rtol=1e-12)


@given(
    gaps=arrays(np.float64, 6, elements=st.floats(allow_nan=True, allow_infinity=True)),
    rho=st.floats(1, 100),
    strength=st.floats(0, 1e300),
)
def test_whatever_is_reported_a_share_grows_by_no_more_than_the_bound(
    gaps: FloatArray, rho: float, strength: float
) -> None:
    tilted = ScaleFreeTilt(strength, max_tilt=rho)(Q, gaps)
    assert np.isfinite(tilted).all()
    assert tilted.sum() == pytest.approx(1)
    counted = np.isfinite(gaps) & (Q > 0)
    if not counted.any():
        np.testing.assert_array_equal(tilted, Q)
        return
    assert (tilted <= rho * Q / (1 + (rho - 1) * Q) + 1e-9).all()


@pytest.mark.parametrize(
    ("options", "named"), [({"strength": -1.0}, "strength must"), ({"max_tilt": 0.5}, "max_tilt must")]
)
def test_arguments_out_of_range_are_refused_by_name(options: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ScaleFreeTilt(**options)
