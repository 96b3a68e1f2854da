"""Duplicates: no placement of malicious updates merges honest clients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.arrays import FloatArray
from strategies.weightings import CoalitionFiltering, Filtering, NoRegret
from strategies.weightings.parts.duplicates import duplicate_groups, merge_duplicates
from strategies.weightings.weighting import Weighting

from ...made_up_updates import honest, placements


@settings(max_examples=60, deadline=None)
@given(data=st.data(), number=st.integers(1, 8))
def test_no_placement_merges_honest_clients(data: Any, number: int) -> None:
    rows = honest(20, 60)
    both = np.vstack([rows, placements(data.draw, rows, number)])
    groups = duplicate_groups(both @ both.T, number)[:20]
    assert len(np.unique(groups)) == 20


def num_groups(rows: FloatArray, f: int) -> int:
    return len(np.unique(duplicate_groups(rows @ rows.T, f)))


def pairs(*distances: float) -> FloatArray:
    """Return 14 updates at a distance of 10 from each other, but for pairs that are closer."""
    rows = np.eye(14) * 10 / np.sqrt(2)
    for k, distance in enumerate(distances):
        rows[2 * k + 1] = rows[2 * k]
        rows[2 * k + 1, 2 * k + 1] = distance
    return rows


@pytest.mark.parametrize(("share", "groups"), [(0.0, 13), (0.32, 13), (0.35, 14), (0.9, 14)])
def test_nearer_than_a_third_of_what_is_usual_are_duplicates(share: float, groups: int) -> None:
    assert num_groups(pairs(10 * share), 2) == groups


def test_what_is_usual_is_the_edge_after_f_which_malicious_clients_cannot_lengthen() -> None:
    assert num_groups(pairs(0.3, 0.5, 1.0), 2) == 13, "0.3 is less than a third of 1"
    assert num_groups(pairs(0.3, 0.5, 1.0), 3) == 11, "all three are less than a third of 10"


def test_more_duplicates_of_one_than_malicious_clients_are_none() -> None:
    rows = np.vstack([honest(10, 60), np.tile(honest(1, 60, seed=2), (4, 1))])
    assert num_groups(rows, 2) == 14
    assert num_groups(rows, 3) == 11


def test_where_duplicates_outnumber_malicious_clients_the_largest_groups_are_formed() -> None:
    """As many as may be malicious; of groups of one size all or none, whoever comes first."""
    copies = [
        np.tile(update, (size, 1)) for update, size in zip(honest(4, 60), (4, 2, 2, 2), strict=True)
    ]
    rows = np.vstack([*copies, honest(10, 60, seed=2)])
    assert num_groups(rows, 6) == 14, "all"
    assert num_groups(rows, 5) == 17, "the four, not two of the three pairs beside them"
    assert num_groups(rows, 2) == 20, "neither fits"
    order = np.random.default_rng(1).permutation(len(rows))
    groups = duplicate_groups(rows[order] @ rows[order].T, 5)
    together = groups == groups[list(order).index(0)]
    assert set(order[together]) == {0, 1, 2, 3}
    assert merge_duplicates(rows @ rows.T, 5).max_malicious == 2


@pytest.mark.parametrize("weighting", [CoalitionFiltering(0.4), NoRegret(0.4), Filtering(0.4)])
def test_honest_duplicates_hide_no_copies(weighting: Weighting) -> None:
    """Three of twelve honest clients trained nothing, eight attackers agree: these count as one."""
    rows = honest(12)
    rows[:3] = 0.0
    mean, sampling_noise = rows.mean(axis=0), 1 / np.sqrt(12)
    both = np.vstack([rows, np.tile(mean - 1.2 * rows.std(axis=0), (8, 1))])
    error = np.linalg.norm(weighting(both @ both.T) @ both - mean)
    assert error < 0.5 * sampling_noise


@pytest.mark.parametrize("weighting", [CoalitionFiltering(0.2), NoRegret(0.2), Filtering(0.2)])
@pytest.mark.parametrize("distance", [30.0, 1e6])
def test_honest_duplicates_leave_those_far_apart_their_number(
    weighting: Weighting, distance: float
) -> None:
    """Three of sixteen honest clients trained nothing; four attackers are far out, each elsewhere."""
    rows = honest(16)
    rows[:3] = 0.0
    both = np.vstack([rows, distance * honest(4, seed=1)])
    error = np.linalg.norm(weighting(both @ both.T) @ both - rows.mean(axis=0))
    assert error < 2 / np.sqrt(16)
