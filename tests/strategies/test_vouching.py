"""Vouching: a minority that holds vouched clients is kept, and nobody who stands near them gets in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import aggregate
from strategies.arrays import FloatArray
from strategies.vouching import (
    OTHERS_SHARE,
    REPRESENTED,
    KeptByVouching,
    LedByVouched,
    VouchedWeighting,
    Vouching,
)
from strategies.weightings import (
    CoalitionFiltering,
    Filtering,
    GeometricMedian,
    Mean,
    MultiKrum,
    NoRegret,
    Weighting,
)
from strategies.weightings.parts.outliers import OUTLIER_DISTANCE

from .made_up_updates import honest, placements

F = 4
WEIGHTINGS = [CoalitionFiltering(), Filtering(), NoRegret(), MultiKrum(), GeometricMedian(), Mean()]


def with_minority(offset: float = 3.0, members: int = 4, seed: int = 0) -> FloatArray:
    """Return 20 updates, of which the first ones differ from the others in the same way."""
    rows = honest(20, seed=seed)
    rows[:members, 0] += offset
    return rows


def gramian(rows: FloatArray) -> FloatArray:
    shifted = rows - rows.mean(axis=0)
    return np.asarray(shifted @ shifted.T)


def vouched(*clients: int, m: int = 20) -> tuple[bool, ...]:
    return tuple(client in clients for client in range(m))


def kept(rows: FloatArray, *clients: int, weighting: Weighting | None = None) -> FloatArray:
    weights = KeptByVouching(weighting or CoalitionFiltering(), vouched(*clients, m=len(rows)))
    return weights(gramian(rows))


def led(rows: FloatArray, *clients: int) -> FloatArray:
    return LedByVouched(CoalitionFiltering(), vouched(*clients, m=len(rows)))(gramian(rows))


def others_mean(rows: FloatArray, q: FloatArray, *clients: int) -> FloatArray:
    others = np.delete(q, clients)
    mean: FloatArray = others @ np.delete(rows, clients, axis=0) / others.sum()
    return mean


def test_without_anyone_vouched_for_weights_are_the_weighting_s_to_the_last_bit() -> None:
    rows = with_minority()
    for weighting in WEIGHTINGS:
        np.testing.assert_array_equal(kept(rows, weighting=weighting), weighting(gramian(rows)))


def test_a_vouched_client_that_counts_anyway_changes_nothing() -> None:
    rows = with_minority()
    np.testing.assert_array_equal(kept(rows, 10, 11), CoalitionFiltering()(gramian(rows)))


def test_a_minority_comes_back_through_its_vouched_members_alone() -> None:
    rows = with_minority()
    assert not CoalitionFiltering()(gramian(rows))[:4].any()
    for speakers in ([2], [0, 3], [0, 1, 2, 3]):
        q = kept(rows, *speakers)
        assert not np.delete(q[:4], speakers).any()
        assert (q[speakers] > 0.5 / 20).all()
        assert q[4:].min() > 0.5 / 20
        found = KeptByVouching(CoalitionFiltering(), vouched(*speakers)).weigh(gramian(rows))
        assert np.flatnonzero(found.brought_back_by == "vouching").tolist() == speakers


def test_one_vouched_client_speaks_for_its_group_but_not_for_any_number() -> None:
    near = with_minority(2.0)
    alone, all_four = kept(near, 0)[:4], kept(near, 0, 1, 2, 3)[:4]
    assert alone.sum() == pytest.approx(all_four.sum(), rel=0.1)
    assert alone.sum() <= min(REPRESENTED, F) / 20 + 1e-12


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("weighting", WEIGHTINGS[:4], ids=str)
@given(st.data())
@settings(max_examples=15, deadline=None)
def test_what_vouched_clients_who_are_left_out_move_is_bounded(
    weighting: Weighting, data: st.DataObject
) -> None:
    rows = honest(20, d=40)
    rows[:3] = placements(data.draw, rows[3:], 3)
    found = KeptByVouching(weighting, vouched(0, 1, 2)).weigh(gramian(rows))
    back = np.flatnonzero(found.brought_back_by == "vouching")
    mean = others_mean(rows, found.weights, *back)
    reach = OUTLIER_DISTANCE * np.linalg.norm(rows - mean, axis=1)[3:].max()
    moved = np.linalg.norm(found.weights @ rows - mean)
    assert moved <= F / 20 * reach * (1 + 1e-9)
    assert found.weights.sum() == pytest.approx(1)
    assert (found.weights >= 0).all()


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_who_stands_near_a_vouched_client_gets_no_weight(data: st.DataObject) -> None:
    rows = with_minority()
    backdoor = np.zeros(400)
    backdoor[1] = data.draw(st.floats(0, 3))
    near = data.draw(st.integers(1, 3))
    rows[1 : 1 + near] = rows[0] + backdoor + 0.7 * (rows[1 : 1 + near] - rows[:4].mean(axis=0))
    q = kept(rows, 0)
    if not CoalitionFiltering()(gramian(rows))[1 : 1 + near].any():
        assert not q[1 : 1 + near].any()
    assert q[1 : 1 + near].sum() <= CoalitionFiltering()(gramian(rows))[1 : 1 + near].sum() + 1e-12


def test_attackers_who_imitate_a_minority_so_that_it_is_too_large_to_leave_out_stay_outside() -> None:
    rows = with_minority(members=8)
    rows[4:8, 1] += 0.5
    assert CoalitionFiltering()(gramian(rows))[4:8].sum() > 0.15
    q = kept(rows, 0, 1)
    assert not q[2:8].any()
    assert (q[:2] > 0.5 / 20).all()
    assert q[:2].sum() <= F / 20 + 1e-12


def test_a_minority_that_is_vouched_for_shields_no_attackers() -> None:
    rows = with_minority()
    rows[4:7, 1] += 2.0
    shielded = CoalitionFiltering()(gramian(rows))
    assert not shielded[:4].any()
    assert (shielded[4:7] > 0.5 / 20).all()
    q = kept(rows, 0)
    assert not q[4:7].any()
    assert q[0] > 0


@pytest.mark.parametrize("kind", [KeptByVouching, LedByVouched])
def test_permuting_the_clients_permutes_the_weights(kind: type[VouchedWeighting]) -> None:
    rows = with_minority(members=6)
    rows[4:6, 1] += 1.0
    order = np.random.default_rng(0).permutation(20)
    weighting = kind(CoalitionFiltering(), vouched(0, 1))
    np.testing.assert_allclose(
        weighting.among(order)(gramian(rows[order])), weighting(gramian(rows))[order], atol=1e-9
    )


def test_an_aggregation_knows_whom_it_weighs_in_whatever_order_they_come() -> None:
    rows = with_minority()
    rows[12] = np.nan
    order = np.random.default_rng(1).permutation(20)
    weighting = KeptByVouching(CoalitionFiltering(), vouched(0, 1, 12))
    plain, shuffled = aggregate(rows, weighting), aggregate(rows[order], weighting.among(order))
    np.testing.assert_array_equal(plain.mean, shuffled.mean)
    assert np.flatnonzero(plain.brought_back_by == "vouching").tolist() == [0, 1]
    np.testing.assert_array_equal(plain.brought_back_by[order], shuffled.brought_back_by)
    in_blocks = aggregate(rows, weighting, block_size=100)
    assert in_blocks.robust_weights[[0, 1]].min() > 0
    assert in_blocks.robust_weights[12] == 0


def test_in_a_branch_vouched_members_decide_however_many_attackers_imitate_them() -> None:
    for seed in range(5):
        rows = honest(12, seed=seed)
        rows[4:, 0] -= 3.0  # eight attackers pull back what the four honest members share
        towards = rows[:4].mean(axis=0)
        for speakers in ([0], [0, 1], [0, 1, 2, 3]):
            q = led(rows, *speakers)
            assert np.delete(q, speakers).sum() <= OTHERS_SHARE + 1e-12
            taken, without = (w @ rows for w in (q, CoalitionFiltering()(gramian(rows))))
            assert np.linalg.norm(taken - towards) < np.linalg.norm(without - towards)
            assert not q[4:].any()


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_in_a_branch_the_others_move_the_vouched_members_mean_by_half_their_nearest_distance(
    data: st.DataObject,
) -> None:
    rows = honest(9, d=40)
    rows[4:] = placements(data.draw, rows[:4], 5)
    speakers = data.draw(st.sampled_from([[0], [0, 1], [0, 1, 2]]))
    mean = rows[speakers].mean(axis=0)
    distances = np.linalg.norm(rows - mean, axis=1)
    reach = max(distances[speakers].max(), np.delete(distances, speakers)[: 4 - len(speakers)].min())
    q = led(rows, *speakers)
    assert np.linalg.norm(q @ rows - mean) <= OTHERS_SHARE * reach * (1 + 1e-9) + 1e-9
    assert (q >= 0).all()
    assert q.sum() == pytest.approx(1)


def test_a_branch_of_honest_members_weighs_them_about_evenly() -> None:
    rows = honest(4)
    q = led(rows, 0, 1)
    assert q.min() > 0.15
    np.testing.assert_allclose(led(rows, 0, 1, 2, 3), 1 / 4)


def test_updates_that_are_all_alike_are_weighed() -> None:
    for rows in (np.ones((20, 5)), np.zeros((1, 5)), np.ones((2, 5))):
        for kind in (KeptByVouching, LedByVouched):
            q = kind(CoalitionFiltering(), vouched(0, m=len(rows)))(gramian(rows))
            assert np.isfinite(q).all()
            assert q.sum() == pytest.approx(1)


def test_whom_nobody_can_name_is_refused() -> None:
    with pytest.raises(ValueError, match="vouched must be a collection of node ids, got the text '37'"):
        Vouching("37")
    with pytest.raises(ValueError, match="vouched must be names that are not empty"):
        Vouching(["3", " "])
