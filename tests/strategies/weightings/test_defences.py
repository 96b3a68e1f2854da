"""The field's defences: each beside its definition, in updates and not in their Gramian."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import HDBSCAN, MeanShift, estimate_bandwidth

from strategies import (
    FLAME,
    BulyanSelection,
    DivideAndConquer,
    FLDetector,
    FLTrust,
    FoolsGold,
    GeometricMedian,
    NearestNeighborMixing,
    NormClipping,
    SignGuard,
    aggregate,
)
from strategies.arrays import FloatArray
from strategies.weightings import Defence
from strategies.weightings.defence import Known
from strategies.weightings.flame import majority_cluster
from strategies.weightings.parts.mean_shift import estimated_bandwidth, mean_shift

from ..made_up_updates import attacked, honest

ROWS = attacked()
ROOT = honest(1, seed=7)[0]
DEFENCES: list[Defence] = [
    NormClipping(),
    NormClipping(bound=0.3),
    FLAME(noise=0.0),
    FoolsGold(),
    FLDetector(),
    SignGuard(),
    SignGuard(coordinates=1.0),
    FLTrust(ROOT),
]
defences = pytest.mark.parametrize("defence", DEFENCES, ids=repr)
seeds = pytest.mark.parametrize("seed", range(8))


def some_updates(seed: int) -> FloatArray:
    """Return a few updates of which some point elsewhere, are longer or are the same."""
    random = np.random.default_rng(seed)
    m = int(random.integers(5, 30))
    rows = random.normal(size=(m, 50)) * random.lognormal(sigma=0.5, size=(m, 1)) + 0.3
    k = m // 4
    rows[:k] = -rows[k:].mean(axis=0) * random.uniform(0.5, 3) + 0.1 * rows[:k]
    return rows


def lengths_of(rows: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(rows, axis=1))


@defences
def test_order_of_clients_changes_no_digit(defence: Defence) -> None:
    order = np.random.default_rng(2).permutation(len(ROWS))
    straight, shuffled = aggregate(ROWS, defence), aggregate(ROWS[order], defence)
    np.testing.assert_array_equal(shuffled.weights, straight.weights[order])
    np.testing.assert_array_equal(shuffled.mean, straight.mean)


@pytest.mark.parametrize("defence", [d for d in DEFENCES if d != NormClipping(bound=0.3)], ids=repr)
def test_scaled_updates_have_a_scaled_mean(defence: Defence) -> None:
    if isinstance(defence, FLTrust):  # its length is the server's
        np.testing.assert_allclose(aggregate(8 * ROWS, defence).mean, aggregate(ROWS, defence).mean)
    elif defence != SignGuard():  # which draws other coordinates
        np.testing.assert_allclose(aggregate(8 * ROWS, defence).mean, 8 * aggregate(ROWS, defence).mean)


@pytest.mark.mostly_slow(4)
@defences
@pytest.mark.parametrize("value", [0.0, 1e-30, 1e30])
def test_whatever_is_sent_there_are_weights(defence: Defence, value: float) -> None:
    for rows in (np.full((4, 400), value), value * ROWS, np.vstack([ROWS, np.zeros((9, 400))])):
        result = aggregate(rows, defence)
        assert result.robust_weights.sum() == pytest.approx(1)
        assert np.isfinite(result.weights).all()
        assert (result.weights >= 0).all()
        assert np.isfinite(result.mean).all()


@defences
def test_nothing_wraps_a_defence(defence: Defence) -> None:
    with pytest.raises(ValueError, match="weighting must be one that goes by the updates' differences"):
        NearestNeighborMixing(defence)
    with pytest.raises(ValueError, match="block_size must be None with"):
        aggregate(ROWS, defence, block_size=10)


@seeds
def test_norm_clipping_is_the_mean_of_shortened_updates(seed: int) -> None:
    rows = some_updates(seed)
    for bound in (None, 2.0):
        radius = np.median(lengths_of(rows)) if bound is None else bound
        clipped = rows / np.maximum(1, lengths_of(rows) / radius)[:, None]
        np.testing.assert_allclose(aggregate(rows, NormClipping(bound)).mean, clipped.mean(axis=0))


@pytest.mark.parametrize("make", [NormClipping, FLAME])
def test_noise_is_as_wide_as_said_and_another_for_other_updates(make: Callable[..., Defence]) -> None:
    rows = np.random.default_rng(0).normal(size=(10, 20_000)) + 1
    without, with_noise = aggregate(rows, make(noise=0.0)), aggregate(rows, make(noise=0.01))
    noise = with_noise.mean - without.mean
    assert noise.std() == pytest.approx(0.01 * np.median(lengths_of(rows)), rel=0.05)
    assert abs(noise.mean()) < 5 * noise.std() / np.sqrt(len(noise))
    np.testing.assert_array_equal(aggregate(rows, make(noise=0.01)).mean, with_noise.mean)
    next_one = aggregate(2 * rows, make(noise=0.01)).mean - 2 * without.mean
    assert abs(np.corrcoef(noise, next_one)[0, 1]) < 0.05


@pytest.mark.parametrize("seed", range(40))
def test_the_majority_cluster_is_hdbscans(seed: int) -> None:
    rows = some_updates(seed)
    unit = rows / lengths_of(rows)[:, None]
    distances = np.maximum(1 - unit @ unit.T, 0)
    np.fill_diagonal(distances, 0)
    theirs = HDBSCAN(
        min_cluster_size=len(rows) // 2 + 1,
        min_samples=1,
        allow_single_cluster=True,
        metric="precomputed",
        copy=True,
    ).fit(distances)
    np.testing.assert_array_equal(majority_cluster(distances), theirs.labels_ == 0)


@seeds
def test_flame_averages_the_cluster_clipped_to_the_median_length(seed: int) -> None:
    rows = some_updates(seed)
    model = np.random.default_rng(seed).normal(size=50)
    bound = np.median(lengths_of(rows))
    for theta in (None, model):
        models = rows if theta is None else theta - rows
        unit = models / lengths_of(models)[:, None]
        inside = majority_cluster(1 - unit @ unit.T)
        expected = (rows * np.minimum(1, bound / lengths_of(rows))[:, None])[inside].mean(axis=0)
        known = Known() if theta is None else Known(model=[theta], inside=[0])
        result = aggregate(rows, FLAME(noise=0.0), known=known)
        np.testing.assert_allclose(result.mean, expected)
        np.testing.assert_array_equal(result.robust_weights > 0, inside)


def foolsgold(histories: FloatArray) -> FloatArray:
    """Return the learning rates, step by step as Algorithm 1 has them."""
    m = len(histories)
    unit = histories / lengths_of(histories)[:, None]
    cs = np.array([[0 if i == j else float(unit[i] @ unit[j]) for j in range(m)] for i in range(m)])
    largest = [max(row) for row in cs]
    for i in range(m):
        for j in range(m):
            if i != j and largest[i] < largest[j]:
                cs[i, j] *= largest[i] / largest[j]
    rates = np.array([min(max(1 - max(row), 0.0), 1.0) for row in cs])
    rates /= rates.max()
    for i, rate in enumerate(rates):
        rate = 0.99 if rate == 1 else rate
        logit = np.log(rate / (1 - rate)) + 0.5 if rate > 0 else 0.0
        rates[i] = min(max(logit, 0.0), 1.0)
    return rates


@seeds
def test_foolsgold_weighs_by_the_histories(seed: int) -> None:
    rows = some_updates(seed)
    names = [f"client {i}" for i in range(len(rows))]
    memory: Any = {}
    history = np.zeros_like(rows)
    for server_round in range(1, 4):
        updates = rows + 0.5 * np.random.default_rng([seed, server_round]).normal(size=rows.shape)
        history = history + updates
        result = aggregate(updates, FoolsGold(), known=Known(names, memory))
        memory = result.memory
        rates = foolsgold(history)
        np.testing.assert_allclose(result.weights, rates / rates.sum(), atol=1e-5)
    np.testing.assert_allclose(memory["past.client 2"], history[2], rtol=1e-5, atol=1e-5)


def test_foolsgold_keeps_the_history_of_who_is_away() -> None:
    everyone = ["a", "b", "c", "d"]
    first = aggregate(ROWS[:4], FoolsGold(), known=Known(everyone))
    some = aggregate(ROWS[4:6], FoolsGold(), known=Known(["d", "e"], first.memory))
    assert set(some.memory) == {f"past.{name}" for name in "abcde"}
    np.testing.assert_array_equal(some.memory["past.a"], first.memory["past.a"])
    np.testing.assert_allclose(some.memory["past.d"], ROWS[3] + ROWS[4], rtol=1e-5, atol=1e-6)


def test_sybils_count_the_less_the_longer_they_send_the_same() -> None:
    random = np.random.default_rng(0)
    goal, memory, shares = random.normal(size=200), {}, []
    for _ in range(4):
        rows = random.normal(size=(12, 200))
        rows[:5] = goal + 1.2 * rows[:5]
        result = aggregate(rows, FoolsGold(), known=Known([str(i) for i in range(12)], memory))
        memory = dict(result.memory)
        shares.append(result.weights[:5].sum())
    assert all(later <= earlier for earlier, later in pairwise(shares))
    assert shares[-1] < 0.1 * shares[0]


@seeds
def test_dnc_drops_the_furthest_along_the_top_singular_vector(seed: int) -> None:
    rows = some_updates(seed)
    centred = rows - rows.mean(axis=0)
    along = centred @ np.linalg.svd(centred)[2][0]
    f = int(np.ceil(0.3 * len(rows)))
    kept = np.argsort(along**2)[: len(rows) - f]
    mean = aggregate(rows, DivideAndConquer(0.3)).mean
    np.testing.assert_allclose(mean, rows[kept].mean(axis=0), rtol=1e-9, atol=1e-12)


@seeds
def test_bulyan_selects_by_krum_again_and_again(seed: int) -> None:
    rows = some_updates(seed)
    m = len(rows)
    f = int(np.ceil(0.2 * m))
    left, selected = list(range(m)), []
    while len(selected) < m - 2 * f:
        scores = {}
        for i in left:
            squares = sorted(float(((rows[i] - rows[j]) ** 2).sum()) for j in left if j != i)
            scores[i] = sum(squares[: max(len(left) - f - 2, 1)])
        selected.append(min(left, key=lambda i: scores[i]))
        left.remove(selected[-1])
    weights = aggregate(rows, BulyanSelection(0.2)).robust_weights
    # Of the last two, each is the other's only neighbour, so that either may be selected.
    assert set(np.flatnonzero(weights)) - set(selected) <= set(left)
    assert len(set(selected) - set(np.flatnonzero(weights))) <= 1


@pytest.mark.mostly_slow(6)
@pytest.mark.parametrize("seed", range(30))
def test_mean_shift_finds_the_same_largest_cluster_as_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.normal(size=(30, 3)) * 0.05 + 1
    points[: seed % 12] += random.uniform(-1, 1, size=3)
    bandwidth = estimated_bandwidth(points)
    assert bandwidth == pytest.approx(estimate_bandwidth(points, quantile=0.5))
    theirs = MeanShift(bandwidth=bandwidth, cluster_all=False).fit(points).labels_
    ours = mean_shift(points, bandwidth)
    largest = [clusters == np.bincount(clusters[clusters >= 0]).argmax() for clusters in (ours, theirs)]
    np.testing.assert_array_equal(*largest)


@pytest.mark.mostly_slow(4)
@seeds
def test_signguard_averages_who_has_usual_lengths_and_signs(seed: int) -> None:
    rows = some_updates(seed)
    rows[-1] *= 100
    lengths = lengths_of(rows)
    median = np.median(lengths)
    shares = np.stack([(rows > 0).mean(axis=1), (rows == 0).mean(axis=1), (rows < 0).mean(axis=1)], 1)
    features = shares / (shares.max(axis=0) + 1e-8)
    bandwidth = estimate_bandwidth(features, quantile=0.5)
    clusters = MeanShift(bandwidth=bandwidth, cluster_all=False).fit(features).labels_
    alike = clusters == np.bincount(clusters[clusters >= 0]).argmax()
    trusted = alike & (lengths > 0.1 * median) & (lengths < 3 * median)
    clipped = rows * np.minimum(1, median / lengths)[:, None]
    result = aggregate(rows, SignGuard(coordinates=1.0))
    np.testing.assert_allclose(result.mean, clipped[trusted].mean(axis=0))


@seeds
def test_fltrust_is_equation_4(seed: int) -> None:
    rows = some_updates(seed)
    own = np.random.default_rng(seed).normal(size=50) + 0.3
    cosines = rows @ own / lengths_of(rows) / np.linalg.norm(own)
    trust = np.maximum(cosines, 0)
    scaled = rows * (np.linalg.norm(own) / lengths_of(rows))[:, None]
    result = aggregate(rows, FLTrust(own))
    np.testing.assert_allclose(result.mean, trust @ scaled / trust.sum())
    np.testing.assert_allclose(result.robust_weights, trust / trust.sum(), atol=1e-12)


def test_fltrust_trusts_nobody_who_points_away() -> None:
    assert not aggregate(-np.tile(ROOT, (4, 1)), FLTrust(ROOT)).mean.any()


def test_fltrust_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="root must be given to FLTrust"):
        aggregate(ROWS, FLTrust())
    with pytest.raises(ValueError, match="must hold 400 finite numbers, got 3 numbers"):
        aggregate(ROWS, FLTrust(np.ones(3)))


@pytest.mark.parametrize("smoothing", [1e-6, 0.5])
def test_the_geometric_median_is_rfa(smoothing: float) -> None:
    """RFA's smoothed Weiszfeld steps, here on the updates themselves."""
    rows = some_updates(3)
    mean = rows.mean(axis=0)
    for _ in range(500):
        distances = lengths_of(rows - mean)
        weights = 1 / np.maximum(distances, smoothing * np.median(distances))
        mean = weights @ rows / weights.sum()
    result = aggregate(rows, GeometricMedian(smoothing, max_iterations=500))
    np.testing.assert_allclose(result.mean, mean, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NormClipping(bound=0), "bound must be above 0, got 0"),
        (lambda: NormClipping(noise=-1), "noise must be at least 0"),
        (lambda: FLAME(noise=np.inf), "noise must be at least 0 and finite"),
        (lambda: FLAME(seed=-1), "seed must be at least 0"),
        (lambda: SignGuard(coordinates=0), "coordinates must be above 0 and at most 1"),
    ],
)
def test_options_out_of_their_range_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
