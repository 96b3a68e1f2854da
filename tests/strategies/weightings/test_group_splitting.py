"""Splitting off groups that stand apart: several at once, and nobody where nobody stands apart."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.arrays import FloatArray
from strategies.weightings import CoalitionFiltering, GeometricMedian, MultiKrum, Weighting
from strategies.weightings.group_splitting import GroupSplitting, withstanding
from strategies.weightings.parts.similar_groups import groups_apart, similar_groups

from ..made_up_updates import honest

SPLITTING = GroupSplitting(CoalitionFiltering(0.2), 0.2)


def with_groups(*offsets: tuple[int, int, float], m: int = 20, seed: int = 0) -> FloatArray:
    """Return m honest updates, of which groups of some size lie off along some axis by a length."""
    rows = honest(m, seed=seed)
    start = 0
    for size, axis, length in offsets:
        rows[start : start + size, axis] += length
        start += size
    return rows


def gramian(rows: FloatArray) -> FloatArray:
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred @ centred.T)


def test_two_groups_are_found_at_once_and_apart() -> None:
    groups = groups_apart(gramian(with_groups((4, 0, 2.5), (3, 1, 2.5))), 4)
    assert [group.tolist() for group in groups] == [[0, 1, 2, 3], [4, 5, 6]]


def test_opposite_groups_are_found_though_the_mean_hardly_moves() -> None:
    groups = groups_apart(gramian(with_groups((4, 0, 3.0), (3, 0, -3.0))), 4)
    assert [group.tolist() for group in groups] == [[0, 1, 2, 3], [4, 5, 6]]


def test_members_of_a_group_get_no_weight_and_the_others_even_weights() -> None:
    q = SPLITTING(gramian(with_groups((4, 0, 2.5), (3, 1, 2.5))))
    np.testing.assert_allclose(q, np.repeat([0, 1 / 13], [7, 13]), atol=1e-12)


@pytest.mark.mostly_slow(6)
@pytest.mark.parametrize("seed", range(30))
def test_even_honest_updates_are_left_to_the_weighting(seed: int) -> None:
    rows = gramian(honest(20, seed=seed))
    np.testing.assert_array_equal(SPLITTING(rows), CoalitionFiltering(0.2)(rows))


def test_a_pair_is_no_group() -> None:
    assert groups_apart(gramian(with_groups((2, 0, 4.0))), 4) == []


def test_where_honest_clients_come_in_groups_none_is_set_apart() -> None:
    five_groups = [(4, axis, 4.0) for axis in range(5)]
    assert groups_apart(gramian(with_groups(*five_groups)), 4) == []


def test_permuting_the_clients_permutes_the_weights() -> None:
    rows = with_groups((4, 0, 2.5), (3, 1, 2.5))
    order = np.random.default_rng(0).permutation(20)
    np.testing.assert_allclose(
        SPLITTING(gramian(rows[order])), SPLITTING(gramian(rows))[order], atol=1e-9
    )


def test_noise_makes_no_difference_to_what_is_one_direction() -> None:
    """Two noisy directions 60 degrees apart are two groups, though cosines in each are as low as 0.6."""
    random = np.random.default_rng(2)
    directions = np.zeros((8, 500))
    directions[:4, 0] = 1.0
    directions[4:, :2] = [0.5, np.sqrt(0.75)]
    noise = random.normal(size=(8, 500)) / np.sqrt(500)
    rows = directions + 0.75 * noise
    assert [group.tolist() for group in similar_groups(rows @ rows.T)] == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize("weighting", [CoalitionFiltering(0.1), MultiKrum(0.1)], ids=repr)
def test_a_smaller_number_of_clients_withstands_as_many(weighting: Weighting) -> None:
    assert getattr(withstanding(weighting, 4, 16), "epsilon") == 4 / 16  # noqa: B009
    assert getattr(withstanding(weighting, 4, 8), "epsilon") == 3 / 8  # noqa: B009


def test_a_weighting_without_an_epsilon_stays_as_it_is() -> None:
    assert withstanding(GeometricMedian(), 4, 16) == GeometricMedian()
    auto = CoalitionFiltering("auto")
    assert withstanding(auto, 4, 16) is auto
