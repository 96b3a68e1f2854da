"""Root data: who is left out comes back where that lowers the loss on the server's own samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import CoalitionFiltering, aggregate
from strategies.arrays import FloatArray, NDArrays
from strategies.root_data import MARGIN, ROOT_DATA, Amnesty
from strategies.vouching import KeptByVouching
from strategies.weightings.group_splitting import GroupSplitting
from strategies.weightings.parts.outliers import OUTLIER_DISTANCE

from .made_up_updates import honest, placements
from .one_round import BOTH_APIS
from .quadratic_clients import ATTACKERS, MINORITY, Federation, flat, optima
from .test_branches_in_strategies import hostile
from .test_pawbrofl_strategy import assert_same_bits, log

__all__ = ["log"]

SPLITTING = GroupSplitting(CoalitionFiltering())
START = [np.zeros(400)]
Loss = Callable[[NDArrays], float]


def gramian(rows: FloatArray) -> FloatArray:
    shifted = rows - rows.mean(axis=0)
    return np.asarray(shifted @ shifted.T)


def with_minority_and_backdoor() -> FloatArray:
    """Return 20 updates: four of a minority along axis 0, three of attackers along axis 1."""
    rows = honest(20)
    rows[:4, 0] += 3.0
    rows[4:7, 1] += 3.0
    return rows


def likes_axis_0(model: NDArrays) -> float:
    """Return a loss that falls along what the minority sends."""
    return 10.0 + float(model[0][0])


def amnesty(rows: FloatArray, loss: Loss, weighting: Any = SPLITTING, **options: Any) -> Amnesty:
    models = [[START[0] - row] for row in rows]
    return Amnesty(weighting, loss, START, models, **options)


def test_who_lowers_the_loss_comes_back_and_attackers_do_not() -> None:
    rows = with_minority_and_backdoor()
    found = amnesty(rows, likes_axis_0, margin=0.005).weigh(gramian(rows))
    assert np.flatnonzero(found.brought_back_by == ROOT_DATA).tolist() == [0, 1, 2, 3]
    assert not found.weights[4:7].any()
    assert (found.weights[:4] > 0).all()
    assert found.weights[:4].max() <= 1 / 20
    assert found.weights.sum() == pytest.approx(1)


def test_models_are_judged_whole_scalars_and_whole_numbers_included() -> None:
    rows = with_minority_and_backdoor()
    seen: list[NDArrays] = []

    def loss(model: NDArrays) -> float:
        seen.append(model)
        return likes_axis_0(model) + float(model[1])

    start = [START[0].astype(np.float32), np.float16(2.0).reshape(()), np.arange(3)]
    models = [
        [(start[0] - row).astype(np.float32), np.float16(1.0).reshape(()), start[2]] for row in rows
    ]
    found = Amnesty(SPLITTING, loss, start, models, 0.5).weigh(gramian(rows))
    assert len(seen) == 1 + (SPLITTING(gramian(rows)) < 0.5 / 20).sum()
    for model in seen:
        assert [array.dtype for array in model] == [array.dtype for array in start]
        assert float(model[1]) == pytest.approx(1.5), "half a step of the update that all share"
        np.testing.assert_array_equal(model[2], start[2])
    assert found.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("loss", [lambda _: 1.0, lambda _: math.nan, lambda _: math.inf])
def test_a_loss_that_says_nothing_brings_nobody_back(loss: Loss) -> None:
    rows = with_minority_and_backdoor()
    np.testing.assert_array_equal(amnesty(rows, loss)(gramian(rows)), SPLITTING(gramian(rows)))


def test_less_than_the_margin_is_not_enough() -> None:
    rows = with_minority_and_backdoor()
    for margin, back in ((0.005, 4), (0.5, 0)):
        found = amnesty(rows, likes_axis_0, margin=margin).weigh(gramian(rows))
        assert (found.brought_back_by == ROOT_DATA).sum() == back
    assert 0.01 <= MARGIN <= 0.02


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_whoever_comes_back_moves_the_mean_by_a_bounded_step(data: st.DataObject) -> None:
    rows = honest(20, d=40)
    rows[:4] = placements(data.draw, rows[4:], 4)
    models = [[-row] for row in rows]
    wanted = data.draw(st.sampled_from([rows[0], rows[1] + rows[2], -rows[5]]))
    weighting = Amnesty(SPLITTING, lambda model: 1e3 + float(model[0] @ wanted), [np.zeros(40)], models)
    found = weighting.weigh(gramian(rows))
    back = np.flatnonzero(found.brought_back_by == ROOT_DATA)
    kept = np.delete(found.weights, back)
    mean = kept @ np.delete(rows, back, axis=0) / kept.sum()
    reach = OUTLIER_DISTANCE * np.linalg.norm(rows - mean, axis=1)[4:].max()
    moved = np.linalg.norm(found.weights @ rows - mean)
    assert moved <= len(back) / 20 * reach * (1 + 1e-9) + 1e-12


def test_the_order_of_clients_does_not_matter() -> None:
    rows = with_minority_and_backdoor()
    order = np.random.default_rng(0).permutation(20)
    weighting = amnesty(rows, likes_axis_0, margin=0.005)
    plain = aggregate([[row] for row in rows], weighting)
    shuffled = aggregate([[row] for row in rows[order]], weighting.among(order))
    np.testing.assert_array_equal(plain.mean[0], shuffled.mean[0])
    np.testing.assert_array_equal(plain.brought_back_by[order], shuffled.brought_back_by)


def test_vouched_clients_are_kept_by_vouching_and_others_by_root_data() -> None:
    rows = with_minority_and_backdoor()
    inner = KeptByVouching(SPLITTING, tuple(client == 0 for client in range(20)))
    found = amnesty(rows, likes_axis_0, inner, margin=0.001).weigh(gramian(rows))
    assert found.brought_back_by[:4].tolist() == ["vouching", ROOT_DATA, ROOT_DATA, ROOT_DATA]


def near(target: FloatArray, share: float) -> Loss:
    """Return the loss of the server's samples, of which a share is of the minority's kind."""

    def loss(model: NDArrays) -> float:
        theirs = np.square(flat(model) - target).sum()
        others = np.square(flat(model) - optima()[19]).sum()
        return float(share * theirs + (1 - share) * others)

    return loss


@pytest.mark.slow
@pytest.mark.parametrize("api", BOTH_APIS)
def test_strategies_serve_a_minority_whose_kind_the_server_has(api: Any, log: list[str]) -> None:
    wanted = optima(MINORITY, ATTACKERS)
    root_loss = near(wanted[0], 0.2)
    without = Federation(api(weighting=SPLITTING), wanted).run(*range(1, 7))
    with_root = Federation(api(root_loss=root_loss), wanted).run(*range(1, 7))
    distances = [np.linalg.norm(flat(one.model) - wanted[0]) for one in (without, with_root)]
    assert distances[1] < distances[0]
    back = {one.client for one in with_root.rounds[0].clients if one.brought_back_by == ROOT_DATA}
    assert back == {str(client) for client in MINORITY}
    assert any("left out by the weighting, but kept: 0 (root data)" in line for line in log)


@pytest.mark.slow
def test_both_apis_give_the_same_bits_and_hostile_replies_leave_finite_models() -> None:
    wanted = optima(MINORITY, ATTACKERS)
    first, second = (
        Federation(each(root_loss=near(wanted[0], 0.2)), wanted).run(*range(1, 5), tamper=hostile)
        for each in BOTH_APIS
    )
    assert_same_bits(first.model, second.model)
    assert all(np.isfinite(array).all() for array in first.model)


def test_blocks_are_refused() -> None:
    for each in BOTH_APIS:
        with pytest.raises(ValueError, match="block_size must be None with root_loss"):
            each(root_loss=lambda model: 0.0, block_size=10)
