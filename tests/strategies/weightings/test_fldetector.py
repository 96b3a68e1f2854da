"""FLDetector beside its definition: the Hessian, the distances, the clusters and who is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans

from strategies import FLDetector, aggregate
from strategies.arrays import FloatArray
from strategies.weightings.defence import Known
from strategies.weightings.fldetector import hessian_product, suspicious

seeds = pytest.mark.parametrize("seed", range(5))
D, M, WINDOW = 30, 12, 4
NAMES = [f"client {i}" for i in range(M)]


@seeds
@pytest.mark.parametrize("pairs", [1, 3, 8])
def test_the_hessian_is_that_of_bfgs_updates_one_after_the_other(seed: int, pairs: int) -> None:
    random = np.random.default_rng(seed)
    root = random.normal(size=(8, 8))
    steps = random.normal(size=(pairs, 8))
    turns = steps @ (root @ root.T + np.eye(8))
    hessian = float(turns[-1] @ steps[-1] / (steps[-1] @ steps[-1])) * np.eye(8)
    for s, y in zip(steps, turns, strict=True):
        moved = hessian @ s
        hessian = hessian - np.outer(moved, moved) / (s @ moved) + np.outer(y, y) / (y @ s)
    vector = random.normal(size=8)
    np.testing.assert_allclose(hessian_product(steps, turns, vector), hessian @ vector, rtol=1e-6)
    np.testing.assert_allclose(hessian_product(steps, turns, steps[-1]), turns[-1], rtol=1e-6)


def test_a_model_that_did_not_move_has_no_hessian() -> None:
    steps, turns = np.zeros((2, 5)), np.ones((2, 5))
    np.testing.assert_array_equal(hessian_product(steps, turns, np.ones(5)), np.zeros(5))


@seeds
def test_two_clusters_are_told_apart_as_k_means_does(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = np.concatenate([random.normal(1.0, 0.05, 14), random.normal(3.0, 0.2, 4)])
    found = suspicious(scores)
    assert found.tolist() == [False] * 14 + [True] * 4
    theirs = KMeans(2, n_init=10, random_state=0).fit(scores[:, None])
    larger = theirs.cluster_centers_[:, 0].argmax()
    np.testing.assert_array_equal(found, theirs.labels_ == larger)
    order = random.permutation(18)
    np.testing.assert_array_equal(suspicious(7 * scores[order]), found[order])


@pytest.mark.slow
def test_one_cluster_has_hardly_ever_anybody_suspicious() -> None:
    draws = [np.random.default_rng(seed).normal(5, 1, size=30) for seed in range(100)]
    assert sum(suspicious(scores).any() for scores in draws) <= 10
    assert not suspicious(np.full(6, 0.25)).any()


def rounds(seed: int, attackers: int, number: int) -> list[Any]:
    """Return the aggregations of so many rounds of training on a quadratic loss.

    Honest clients send gradients of losses of their own; attackers a new random direction every round.
    """
    random = np.random.default_rng(seed)
    curvature = random.uniform(0.5, 2.0, size=D)
    goals = random.normal(size=(M, D))
    model, memory, results = 5 + np.zeros(D), {}, []
    for _ in range(number):
        rows = curvature * (model - goals) + 0.05 * random.normal(size=(M, D))
        rows[:attackers] = 8 * random.normal(size=(attackers, D))
        known = Known(NAMES, memory, [model], [0])
        results.append(aggregate(rows, FLDetector(WINDOW), known=known))
        memory = dict(results[-1].memory)
        model = model - 0.2 * results[-1].mean
    return results


@seeds
def test_who_does_not_do_as_before_is_left_out_once_the_window_is_full(seed: int) -> None:
    results = rounds(seed, 3, WINDOW + 4)
    for early in results[:WINDOW]:  # the first round has no distances
        np.testing.assert_allclose(early.weights, 1 / M)
    for late in results[WINDOW:]:
        np.testing.assert_allclose(late.weights, np.where(np.arange(M) < 3, 0, 1 / (M - 3)))


def test_distances_are_to_what_the_past_and_the_hessian_let_expect() -> None:
    results = rounds(0, 3, WINDOW + 3)
    before, after = results[-2].memory, results[-1].memory
    turn = hessian_product(before["steps"], before["turns"], after["model"] - before["model"])
    distances = np.array(
        [
            np.linalg.norm(before[f"past.{name}"] + turn - after[f"past.{name}"].astype(float))
            for name in NAMES
        ]
    )
    expected = distances / distances.sum()
    found = [after[f"distances.{name}"][-1] for name in NAMES]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert {len(after[f"distances.{name}"]) for name in NAMES} == {WINDOW}
    assert after["steps"].shape == after["turns"].shape == (WINDOW, D)
    np.testing.assert_allclose(after["steps"][-1], after["model"] - before["model"], rtol=1e-5)
    np.testing.assert_allclose(after["turns"][-1], after["mean"] - before["mean"], rtol=1e-4, atol=1e-6)


def test_who_is_away_keeps_its_past_and_who_is_new_is_not_judged() -> None:
    memory = dict(rounds(1, 3, WINDOW + 1)[-1].memory)
    rows: FloatArray = np.random.default_rng(5).normal(size=(4, D))
    known = Known(["client 5", "client 6", "client 7", "new"], memory, [np.zeros(D)], [0])
    result = aggregate(rows, FLDetector(WINDOW), known=known)
    np.testing.assert_array_equal(result.memory["past.client 0"], memory["past.client 0"])
    np.testing.assert_allclose(result.memory["past.client 6"], rows[1], rtol=1e-6)
    assert result.weights[3] > 0
    assert "distances.new" not in result.memory


def test_without_names_or_a_model_it_is_the_mean() -> None:
    rows = np.random.default_rng(0).normal(size=(6, D))
    for known in (None, Known(NAMES[:6]), Known([], {}, [np.zeros(D)], [0])):
        result = aggregate(rows, FLDetector(), known=known)
        np.testing.assert_allclose(result.mean, rows.mean(axis=0))
        assert not result.memory


def test_a_window_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="window must be at least 2"):
        FLDetector(1)
