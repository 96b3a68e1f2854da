"""The last step of coalition filtering: what no other recognised moves the result by little."""

from __future__ import annotations

import numpy as np
import pytest

from strategies import CoalitionFiltering
from strategies.weightings.coalition_filtering import efficient_or_robust
from strategies.weightings.parts.inliers import Inliers

from ..made_up_updates import honest

ROBUST = np.r_[np.zeros(4), np.full(20, 1 / 20)]


def weights(offset: float) -> tuple[np.ndarray, float, float]:
    """Return the weights where four of 24 are off, and how far they and equal ones move the mean."""
    rows = honest(24)
    rows[:4, 0] += offset
    q = efficient_or_robust(Inliers(np.arange(24), rows @ rows.T, ROBUST))
    moved = (float(np.linalg.norm((p - ROBUST) @ rows)) for p in (q, np.full(24, 1 / 24)))
    return q, *moved


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_means_as_far_apart_as_honest_noise_makes_them_leave_equal_weights(offset: float) -> None:
    np.testing.assert_allclose(weights(offset)[0], 1 / 24, rtol=1e-12)


def test_the_further_apart_the_two_means_are_the_less_equal_weights_count() -> None:
    """So those who are off move the result furthest where they look like noise, and there not far."""
    moved = [weights(offset)[1] for offset in (0.5, 1.0, 2.0, 5.0, 100.0)]
    assert moved == sorted(moved, reverse=True)
    assert moved[0] < 0.15
    assert moved[-1] < 1e-6
    assert weights(100.0)[2] > 10


def test_two_groups_that_are_not_told_apart_still_weigh_less() -> None:
    """Neither is left out, as honest clients may come in groups; an equal share would be 0.27."""
    rows = honest(30)
    rows[:4, 0] += 2.0
    rows[4:8, 1] += 2.0
    q = CoalitionFiltering(4 / 30)(rows @ rows.T)
    assert (q > 0).all()
    assert q[:8].sum() < 0.22
