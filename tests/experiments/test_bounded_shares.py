"""Bounded shares: nobody is left out, and the mean moves by no more than is allowed."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.pages.bounded_shares import BoundedShares, check
from pawbrofl_app.settings.run_config import InvalidSetting
from strategies.weightings import CoalitionFiltering, Mean


def updates(apart: float) -> np.ndarray:
    """Twenty updates, of which four are apart together."""
    found = np.random.default_rng(1).normal(size=(20, 40))
    found[:4, 0] += apart
    return found


@pytest.mark.parametrize("apart", [10.0, 30.0, 1000.0])
def test_the_mean_moves_by_so_many_standard_errors(apart: float) -> None:
    x = updates(apart)
    kept = CoalitionFiltering(0.2)(x @ x.T)
    assert (kept[:4] == 0).all()
    for bound in (0.5, 1.0):
        q = BoundedShares(CoalitionFiltering(0.2), bound)(x @ x.T)
        assert (q > 0).all()
        assert q.sum() == pytest.approx(1)
        spread = kept @ ((x - kept @ x) ** 2).sum(axis=1)
        allowed = bound * np.sqrt(spread * (kept @ kept))
        moved = np.linalg.norm(q @ x - kept @ x)
        assert moved == pytest.approx(allowed) or q[:4] == pytest.approx(0.05)
        assert moved <= allowed * (1 + 1e-9)


def test_where_nobody_is_left_out_nothing_differs() -> None:
    x = updates(0.0)
    np.testing.assert_array_equal(BoundedShares(Mean(), 1.0)(x @ x.T), np.full(20, 0.05))


@pytest.mark.parametrize("bound", ["-1", "inf", "nan", "much"])
def test_a_bound_that_is_none_is_refused(bound: str) -> None:
    with pytest.raises(InvalidSetting, match="bound must be a number of at least 0, got"):
        check({"bound": bound})
