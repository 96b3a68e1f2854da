"""Outliers, coalitions and duplicates: who is recognised, and how many malicious clients that makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strategies import CoalitionFiltering, Filtering, NoRegret, aggregate, robust_mean
from strategies.arrays import FloatArray
from strategies.weightings.parts.duplicates import merge_duplicates
from strategies.weightings.parts.inliers import find_inliers, max_malicious_among
from strategies.weightings.parts.outliers import drop_outliers

from ...made_up_updates import attacked, honest


def test_without_attack_the_recommended_weighting_is_the_mean() -> None:
    for power in (0.0, 0.75):
        result = robust_mean(honest(60, power=power), epsilon=0.1)
        np.testing.assert_allclose(result.robust_weights, 1 / 60, rtol=1e-9)


@pytest.mark.parametrize("jitter", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("malicious", [3, 8, 12])
def test_a_coalition_is_left_out_by_the_recommended_weighting(malicious: int, jitter: float) -> None:
    rows = attacked(malicious=malicious, jitter=jitter)
    result = robust_mean(rows, epsilon=malicious / 30)
    one_update = 1 / (31 - malicious) if jitter < 0.5 else 0
    assert result.robust_weights[:malicious].sum() <= one_update + 1e-9


@pytest.mark.parametrize("kind", [CoalitionFiltering, Filtering, NoRegret])
def test_more_than_epsilon_asked_for_costs_little(kind: Any) -> None:
    rows = attacked(malicious=5)
    mean = aggregate(rows, kind(0.4)).mean
    noise = np.linalg.norm(rows[5:] - rows[5:].mean(axis=0), axis=1).mean() / 5
    assert np.linalg.norm(mean - rows[5:].mean(axis=0)) < noise


def test_auto_counts_who_looks_malicious() -> None:
    def count(rows: FloatArray) -> int:
        return max_malicious_among(rows @ rows.T, "auto")

    assert count(honest(30)) == 0
    assert count(attacked(malicious=8)) == 8
    assert count(attacked(malicious=8, jitter=0)) in (7, 8), "duplicates count as one update or none"
    outliers = honest(30)
    outliers[:4] *= 50
    assert count(outliers) == 4


@pytest.mark.parametrize("out", [1.0, 2.3, 2.6, 10.0])
def test_outliers_are_two_and_a_half_times_as_far_from_the_mean_of_the_innermost(out: float) -> None:
    rows = np.eye(21)
    rows[20] *= out
    from_mean = np.linalg.norm(rows - rows[:20].mean(axis=0), axis=1)
    is_far = from_mean[20] > 2.5 * from_mean[:20].max()
    assert is_far == (out > 2.5)
    assert drop_outliers(rows @ rows.T, 1).tolist() == list(range(20 if is_far else 21))


def left_out(rows: FloatArray, f: int) -> list[int]:
    inliers = find_inliers(merge_duplicates(rows @ rows.T, f), f)
    return [k for k in range(len(rows)) if k not in inliers.indices]


@pytest.mark.parametrize(("offset", "expected"), [(2.0, []), (2.5, []), (4.0, [4, 5, 6, 7])])
def test_a_group_is_left_out_only_if_it_does_far_more_harm_than_the_next(
    offset: float, expected: list[int]
) -> None:
    rows = honest(30)
    rows[:4, 0] += 2.0
    rows[4:8, 1] += offset
    assert left_out(rows, 4) == expected


def test_a_coalition_must_fit_into_what_outliers_leave_of_f() -> None:
    rows = honest(30)
    rows[:4, 0] += 2.0
    assert left_out(rows, 4) == [0, 1, 2, 3]
    rows[4:7] += 50 * np.eye(3, 400)
    assert left_out(rows, 4) == [4, 5, 6]
    assert left_out(rows, 7) == [0, 1, 2, 3, 4, 5, 6]


def test_auto_looks_for_up_to_two_fifths() -> None:
    rows = attacked(malicious=11)
    assert max_malicious_among(rows @ rows.T, "auto") == 11
