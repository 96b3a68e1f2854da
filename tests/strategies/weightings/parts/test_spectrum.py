"""The top eigenpair: the iterative solver finds what LAPACK finds, and weighs many clients alike."""

from __future__ import annotations

import numpy as np
import pytest

from strategies import Filtering, NoRegret, Weighting
from strategies.weightings.parts import spectrum
from strategies.weightings.parts.spectrum import top_eigenpair

from ...made_up_updates import attacked, honest


@pytest.mark.parametrize("warm", [False, True])
def test_iterative_eigenpair_is_lapacks(warm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = honest(320, 500)
    matrix = rows @ rows.T
    start = np.linalg.eigh(matrix - 0.01 * np.eye(320))[1][:, -1] if warm else None
    value, vector = top_eigenpair(matrix, start)
    monkeypatch.setattr(spectrum, "ITERATIVE_FROM", 10**9)
    exact, direction = top_eigenpair(matrix)
    assert value == pytest.approx(exact, rel=1e-10)
    assert abs(vector @ direction) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("weighting", [Filtering(0.2), NoRegret(0.2)], ids=repr)
def test_many_clients_are_weighed_alike_by_either_solver(
    weighting: Weighting, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = attacked(m=310, malicious=60)
    iterative = weighting(rows @ rows.T)
    monkeypatch.setattr(spectrum, "ITERATIVE_FROM", 10**9)
    np.testing.assert_allclose(iterative, weighting(rows @ rows.T), atol=1e-9)
