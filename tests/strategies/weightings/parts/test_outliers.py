"""Outliers, coalitions and duplicates: who is recognised, and how many malicious clients that makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strategies import CoalitionFiltering, Filtering, NoRegret, aggregate, robust_mean
from strategies.arrays import FloatArray
from strategies.weightings.parts.outliers import max_malicious_among

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
