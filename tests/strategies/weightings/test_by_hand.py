"""Single estimators on updates few enough to say by hand what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest

from strategies import CenteredClipping, Filtering, Mean, NearestNeighborMixing, NoRegret
from strategies.weightings.multi_krum import krum_scores
from strategies.weightings.no_regret import prune

from ..made_up_updates import attacked, honest


@pytest.mark.parametrize(("f", "neighbours"), [(0, 3), (1, 2), (2, 1), (3, 1)])
def test_krum_adds_up_the_distances_to_m_less_f_less_2_neighbours(f: int, neighbours: int) -> None:
    distances = np.abs(np.subtract.outer(*[np.array([0.0, 1.0, 3.0, 7.0, 15.0])] * 2))
    by_hand = [[1, 3, 7], [1, 2, 6], [2, 3, 4], [4, 6, 7], [8, 12, 14]]
    expected = [sum(nearest[:neighbours]) for nearest in by_hand]
    np.testing.assert_array_equal(krum_scores(distances, f), expected)


@pytest.mark.parametrize("f", [0, 1, 3])
def test_filtering_removes_one_update_a_step_and_takes_2_f_of_them(f: int) -> None:
    rows = honest(20)
    assert np.count_nonzero(Filtering(f / 20, xi=0.0)(rows @ rows.T)) == 20 - 2 * f


@pytest.mark.parametrize(("out", "stays"), [(2.6, True), (2.7, False)])
def test_pruning_takes_more_than_twice_the_usual_distance_for_far(out: float, stays: bool) -> None:
    rows = np.eye(12)
    rows[11] *= out
    distances = np.linalg.norm(rows[11] - rows[:11], axis=1)
    assert (distances > 2 * np.sqrt(2)).all() == (not stays)
    assert (11 in prune(rows @ rows.T, 1)) == stays


@pytest.mark.parametrize(("far", "stays"), [(4, True), (5, False)])
def test_pruning_drops_those_far_from_more_than_2_f_others(far: int, stays: bool) -> None:
    """On a line: seven at 0, some at 1, one at -1.5, which is more than twice the usual 1 from these."""
    rows = np.r_[np.zeros(7), np.ones(far), -1.5][:, None]
    assert (7 + far in prune(rows @ rows.T, 2)) == stays


def test_no_client_weighs_more_than_the_honest_ones_would_among_each_other() -> None:
    rows = attacked(malicious=6)
    q = NoRegret(0.2, xi=0.0)(rows @ rows.T)
    assert q.max() <= 1 / 24 * (1 + 1e-9)
    assert q.sum() == pytest.approx(1)


def test_clipping_starts_at_the_update_nearest_to_all_others() -> None:
    rows = np.array([[0.0], [4.0], [5.0], [6.0], [100.0]])
    q = CenteredClipping(radius=1e-3, max_iterations=1)(rows @ rows.T)
    assert np.argmax(q) == 2
    assert q[2] > 0.99


def test_mixing_counts_an_update_among_its_own_neighbours() -> None:
    """Else one of four duplicates would be forgotten for the three before it."""
    rows = np.array([[1.0], [1.0], [1.0], [1.0], [9.0]])
    q = NearestNeighborMixing(Mean(), 0.4)(rows @ rows.T)
    assert (q > 0).all()
