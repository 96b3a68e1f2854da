"""The fair aggregators: what they have in common, their limits, and their equations by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from strategies.arrays import FloatArray
from strategies.fairness import (
    FAIR_WEIGHTINGS,
    QFFL,
    AgnosticFL,
    FairWeighting,
    FedMGDAPlus,
    PropFair,
    TiltedERM,
)
from strategies.fairness.box_simplex import project_onto_box_simplex
from strategies.fairness.fed_mgda_plus import TOLERANCE, duality_gap, shortest_mixture
from tests.strategies.made_up_updates import honest

LOSSES = np.array([0.2, 0.9, 0.4, 2.1, 0.1, 0.7])
ROWS = honest(6, seed=3)
GRAMIAN = ROWS @ ROWS.T

OF_EVERY_KIND: list[FairWeighting] = [
    QFFL(1.0),
    QFFL(5.0),
    AgnosticFL(0.3),
    TiltedERM(1.5),
    FedMGDAPlus(0.1),
    PropFair(3.0),
]


def weights_of(
    rule: FairWeighting, losses: FloatArray = LOSSES, gramian: FloatArray = GRAMIAN
) -> FloatArray:
    return rule.apply(rule.init(len(losses)), gramian, losses)[0]


def test_every_name_makes_one_with_its_defaults() -> None:
    for kind in FAIR_WEIGHTINGS.values():
        assert (weights_of(kind()) >= 0).all()


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("rule", OF_EVERY_KIND, ids=str)
@settings(max_examples=25)
@given(order=st.permutations(range(6)))
def test_permuting_the_clients_permutes_the_weights(rule: FairWeighting, order: list[int]) -> None:
    permuted = weights_of(rule, LOSSES[order], GRAMIAN[np.ix_(order, order)])
    np.testing.assert_allclose(permuted, weights_of(rule)[order], atol=1e-6)


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("rule", OF_EVERY_KIND, ids=str)
@settings(max_examples=50)
@given(losses=arrays(np.float64, 6, elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_whatever_is_reported_weights_are_finite_and_not_negative(
    rule: FairWeighting, losses: FloatArray
) -> None:
    if not np.isfinite(losses).any():
        with pytest.raises(ValueError, match="losses must hold at least one finite"):
            weights_of(rule, losses)
        return
    weights = weights_of(rule, losses)
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    assert (weights[~np.isfinite(losses)] == 0).all()


@pytest.mark.parametrize("rule", [QFFL(1.0), AgnosticFL(0.3), TiltedERM(1.5), PropFair(3.0)], ids=str)
def test_the_larger_the_loss_the_larger_the_weight(rule: FairWeighting) -> None:
    ordered = weights_of(rule)[np.argsort(LOSSES)]
    assert (np.diff(ordered) >= 0).all()
    assert ordered[-1] > ordered[0]


@pytest.mark.parametrize(
    "rule", [QFFL(0.0), AgnosticFL(0.0), TiltedERM(0.0), TiltedERM(1e-12), PropFair(1e12)], ids=str
)
def test_in_the_limit_each_is_federated_averaging(rule: FairWeighting) -> None:
    np.testing.assert_allclose(weights_of(rule), np.full(6, 1 / 6), rtol=1e-9)


@pytest.mark.parametrize("q", [0.5, 1.0, 5.0])
def test_q_ffl_is_algorithm_2_of_the_paper(q: float) -> None:
    rate = 0.1
    constant = 1 / rate
    delta = constant * LOSSES[:, None] ** q * ROWS
    lengths = q * LOSSES ** (q - 1) * np.square(constant * ROWS).sum(axis=1) + constant * LOSSES**q
    expected = delta.sum(axis=0) / lengths.sum()
    found = weights_of(QFFL(q, learning_rate=rate)) @ ROWS
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_afl_takes_projected_steps_and_carries_its_weights() -> None:
    rule = AgnosticFL(0.1)
    state = rule.init(6)
    expected = np.full(6, 1 / 6)
    for _ in range(4):
        weights, state = rule.apply(state, GRAMIAN, LOSSES)
        expected = project_onto_box_simplex(expected + 0.1 * LOSSES)
        np.testing.assert_allclose(weights, expected, atol=1e-12)
        np.testing.assert_allclose(state, expected, atol=1e-12)


def test_afl_keeps_the_weight_of_those_without_a_loss() -> None:
    rule = AgnosticFL(0.1)
    losses = LOSSES.copy()
    losses[2] = np.nan
    weights, state = rule.apply(rule.init(6), GRAMIAN, losses)
    assert weights[2] == 0
    assert state[2] == 1 / 6
    assert np.isclose(state.sum(), 1)
    assert np.isclose(weights.sum(), 1)


def test_term_at_large_t_is_the_worst_client_alone_and_at_minus_large_t_the_best() -> None:
    assert np.flatnonzero(weights_of(TiltedERM(1e6))).tolist() == [3]
    assert np.flatnonzero(weights_of(TiltedERM(-1e6))).tolist() == [4]


def test_prop_fair_weighs_by_the_inverse_gain_and_by_the_bound_beyond() -> None:
    weights = weights_of(PropFair(2.0, least_gain=0.5))
    expected = 1 / np.array([1.8, 1.1, 1.6, 0.5, 1.9, 1.3])
    np.testing.assert_allclose(weights, expected / expected.sum(), rtol=1e-12)


def test_mgda_reaches_the_shortest_vector_of_the_hull() -> None:
    weights = shortest_mixture(GRAMIAN, 0.0, 1.0)
    products = GRAMIAN @ weights
    assert shortest_mixture(np.zeros((3, 3)), 0.0, 1.0).tolist() == [1 / 3] * 3
    # Optimal: no vertex is nearer to the origin along the direction, and those in use are level.
    assert (products >= products @ weights - 1e-6).all()
    np.testing.assert_allclose(products[weights > 1e-6], products @ weights, atol=1e-5)


@settings(max_examples=50)
@given(seed=st.integers(0, 50), epsilon=st.sampled_from([0.0, 0.02, 0.1, 1.0]))
def test_mgda_plus_is_optimal_within_its_box(seed: int, epsilon: float) -> None:
    rows = np.random.default_rng(seed).normal(size=(7, 5))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    low, high = max(1 / 7 - epsilon, 0.0), min(1 / 7 + epsilon, 1.0)
    weights = shortest_mixture(rows @ rows.T, low, high)
    assert np.isclose(weights.sum(), 1)
    assert (weights >= low - 1e-12).all()
    assert (weights <= high + 1e-12).all()
    assert duality_gap(rows @ rows.T, weights, low, high) <= 1.01 * TOLERANCE


def test_the_gap_is_what_the_best_corner_of_the_box_gains_along_the_gradient() -> None:
    gramian, weights = np.diag([1.0, 2.0, 4.0]), np.array([0.3, 0.3, 0.4])
    corner = np.array([0.5, 0.3, 0.2])  # as much as allowed where the gradient is least, and so on
    expected = 2 * weights @ gramian @ (weights - corner)
    assert duality_gap(gramian, weights, 0.2, 0.5) == pytest.approx(expected)
    even = np.full(3, 1 / 3)
    assert duality_gap(np.eye(3), even, 0.2, 0.5) == pytest.approx(0), "the gradient is level"


def test_a_client_cannot_gain_by_scaling_its_update_under_mgda_plus() -> None:
    scaled = ROWS.copy()
    scaled[1] *= 1000
    rule = FedMGDAPlus(0.1)
    before = weights_of(rule) @ ROWS
    after = weights_of(rule, LOSSES, scaled @ scaled.T) @ scaled
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert cosine > 1 - 1e-6


@given(
    point=arrays(np.float64, 5, elements=st.floats(-10, 10)),
    low=st.sampled_from([0.0, 0.1, 0.2]),
    high=st.sampled_from([0.2, 0.3, 1.0]),
)
def test_the_projection_is_inside_and_no_point_inside_is_nearer(
    point: FloatArray, low: float, high: float
) -> None:
    found = project_onto_box_simplex(point, low, high)
    assert np.isclose(found.sum(), 1)
    assert (found >= low).all()
    assert (found <= high).all()
    # The variational inequality: <point - found, other - found> <= 0 for the corners of the set.
    for other in np.random.default_rng(0).dirichlet(np.ones(5), size=20):
        inside = project_onto_box_simplex(other, low, high)
        assert (point - found) @ (inside - found) <= 1e-8


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: QFFL(-1.0), "q must be"),
        (lambda: QFFL(1.0, learning_rate=0.0), "learning_rate must be"),
        (lambda: AgnosticFL(-0.1), "step must be"),
        (lambda: TiltedERM(float("nan")), "t must be"),
        (lambda: FedMGDAPlus(1.5), "epsilon must be"),
        (lambda: PropFair(0.0), "baseline must be"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(make: object, named: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=named):
        make()


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="gramian must be of shape"):
        weights_of(TiltedERM(), LOSSES, GRAMIAN[:5, :5])
