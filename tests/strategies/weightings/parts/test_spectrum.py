"""The largest eigenpairs: all that were asked for, whatever the spectrum, and by either solver alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import hadamard

from strategies import WEIGHTINGS, Filtering, NoRegret, Weighting, robust_mean
from strategies.arrays import FloatArray
from strategies.weightings.parts import spectrum
from strategies.weightings.parts.spectrum import centred, largest_eigenpairs, top_eigenpair

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


@pytest.mark.mostly_slow(2)
@pytest.mark.parametrize("weighting", [Filtering(0.2), NoRegret(0.2)], ids=repr)
def test_many_clients_are_weighed_alike_by_either_solver(
    weighting: Weighting, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = attacked(m=310, malicious=60)
    iterative = weighting(rows @ rows.T)
    monkeypatch.setattr(spectrum, "ITERATIVE_FROM", 10**9)
    np.testing.assert_allclose(iterative, weighting(rows @ rows.T), atol=1e-9)


def degenerate(rows: int) -> dict[str, FloatArray]:
    """Matrices many of whose eigenvalues coincide: of clients at right angles, alike or not there."""
    blocks = np.zeros((rows, rows))
    blocks[0, 0] = 10
    blocks[1:, 1:] = 1
    attack = np.zeros((rows, 3 * rows))
    one_hot = max(rows // 5, 1)
    attack[:one_hot, :one_hot] = np.eye(one_hot)
    attack[one_hot:, rows:] = honest(rows - one_hot, 2 * rows)
    return {
        "at right angles": np.eye(rows),
        "around their mean": np.eye(rows) - 1 / rows,
        "zeros": np.zeros((rows, rows)),
        "alike": np.ones((rows, rows)),
        "one apart": np.diag(np.arange(rows) == 0).astype(float) * 9 + np.eye(rows),
        "a far one and a block": blocks,
        "one-hot updates among honest ones": centred(attack @ attack.T, np.full(rows, 1 / rows)),
    }


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("kind", degenerate(5))
@pytest.mark.parametrize("rows", [3, 8, 33, 64, 100, 128, 320])
def test_coinciding_eigenvalues_are_all_found(rows: int, kind: str) -> None:
    matrix = degenerate(rows)[kind]
    scale = max(float(np.abs(matrix).max()), 1.0) * rows
    number = min(6, rows - 1)
    values, vectors = largest_eigenpairs(matrix, number)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix)[-number:], atol=1e-12 * scale)
    np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=1e-12 * scale)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(number), atol=1e-12)
    assert top_eigenpair(matrix)[0] == pytest.approx(values[-1], abs=1e-12 * scale)


@pytest.mark.mostly_slow(13)
@pytest.mark.parametrize("method", WEIGHTINGS)
@pytest.mark.parametrize("rows", [8, 64, 128, 320])
def test_updates_at_right_angles_are_weighed(method: str, rows: int) -> None:
    at_right_angles: list[Any] = [np.eye(rows), hadamard(2 ** (rows.bit_length() - 1))]
    for updates in at_right_angles:
        result = robust_mean(updates.astype(np.float32), method=method)
        assert result.robust_weights.sum() == pytest.approx(1)
        assert np.isfinite(result.mean).all()
