"""Duplicates: no placement of malicious updates merges honest clients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.arrays import FloatArray
from strategies.weightings.parts.duplicates import duplicate_groups, merge_duplicates

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


def test_more_duplicates_than_malicious_clients_are_none() -> None:
    assert num_groups(pairs(0.0, 0.0, 0.0), 2) == 14


def test_nobody_can_tie_two_others_together() -> None:
    """One update in the middle of two honest ones that are closer than usual, but no duplicates."""
    rows = pairs(4.0)
    rows[2] = rows[:2].mean(axis=0)
    groups = duplicate_groups(rows @ rows.T, 2)
    assert groups[0] != groups[1]
    assert groups[2] in groups[:2]


def test_each_duplicate_but_one_of_a_group_is_spent() -> None:
    rows = pairs(0.0, 0.1)
    merged = merge_duplicates(rows @ rows.T, 3)
    assert merged.max_malicious == 1
    means = merged.merging @ rows
    assert len(means) == 12
    np.testing.assert_allclose(merged.gramian, means @ means.T, atol=1e-12)
    assert any(np.allclose(mean, rows[2:4].mean(axis=0)) for mean in means)
