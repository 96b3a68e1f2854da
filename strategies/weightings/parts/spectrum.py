"""The weighted covariance's largest eigenvalue and how far each update lies along its eigenvector.

With weights q that sum to one, and all in the m x m Gramian K of the updates::

    K_q = (I - 1 q^T) K (I - q 1^T)                  Gramian of the rows centred at the q-mean
    S   = D^(1/2) K_q D^(1/2),  D = diag(q)          same non-zero spectrum as Cov_q
    S u = lambda u, |u| = 1                          lambda = ||Cov_q||_2
    <x_i - mean_q, v> = (K_q D^(1/2) u)_i / sqrt(lambda)

where v is the top eigenvector of ``Cov_q``. The squares of the last line are the generalized
quasi-gradients of Zhu, Jiao, Steinhardt, "Robust estimation via generalized quasi-gradients"
(Information and Inference, 2022), which both Filtering and No-Regret follow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arrays import FloatArray

ITERATIVE_FROM = 300
"""Rows from which on the top eigenpair alone is found faster than by LAPACK."""


def centred(gramian: FloatArray, q: FloatArray) -> FloatArray:
    """Return ``K_q``, the Gramian of the rows centred at their q-mean."""
    products = gramian @ q
    return gramian - products[:, None] - products[None, :] + float(q @ products)


class TopDirection(NamedTuple):
    """The largest eigenvalue of a weighted covariance, and how updates lie along its eigenvector.

    Attributes
    ----------
    eigenvalue : float
        ``||Cov_q||_2``, at least 0.
    quasi_gradients : ndarray of shape (m,)
        Squared distance of each update from the q-mean along the top eigenvector; zeros where the
        covariance vanishes.
    vector : ndarray of shape (m,)
        ``u``, of length 1: what the next search starts from where weights change little.
    """

    eigenvalue: float
    quasi_gradients: FloatArray
    vector: FloatArray


def top_direction(gramian: FloatArray, q: FloatArray, start: FloatArray | None = None) -> TopDirection:
    """Return the norm of the q-covariance and the quasi-gradients along its top eigenvector.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    q : ndarray of shape (m,)
        Weights, ``q >= 0`` and ``sum q = 1``.
    start : ndarray of shape (m,), optional
        A guess of ``u`` for an iterative solver, such as that of the last step.
    """
    roots = np.sqrt(q)
    around_mean = centred(gramian, q)
    eigenvalue, vector = top_eigenpair(roots[:, None] * around_mean * roots[None, :], start)
    if eigenvalue <= np.finfo(np.float64).eps * float(np.abs(np.diag(gramian)).max(initial=0.0)):
        return TopDirection(max(eigenvalue, 0.0), np.zeros(len(q)), vector)
    along = around_mean @ (roots * vector)
    return TopDirection(eigenvalue, along**2 / eigenvalue, vector)


def top_eigenpair(matrix: FloatArray, start: FloatArray | None = None) -> tuple[float, FloatArray]:
    """Return the largest eigenvalue of a symmetric matrix and an eigenvector of length 1.

    By LAPACK below `ITERATIVE_FROM` rows. Above, by Lanczos iterations to full precision from the
    start, or else from the column of the largest diagonal entry.
    """
    from scipy.sparse.linalg import ArpackError, eigsh

    m = len(matrix)
    if m >= ITERATIVE_FROM and matrix.any():
        guess = matrix[:, int(np.argmax(np.diag(matrix)))]
        if start is not None and start.any():
            guess = start
        try:
            values, vectors = eigsh(matrix, k=1, which="LA", v0=guess, maxiter=50 * m)
            return float(values[0]), vectors[:, 0]
        except ArpackError:
            pass  # LAPACK takes longer, but always gets there
    values, vectors = largest_eigenpairs(matrix, 1)
    return float(values[0]), vectors[:, 0]


def largest_eigenpairs(matrix: FloatArray, number: int) -> tuple[FloatArray, FloatArray]:
    """Return the largest eigenvalues of a symmetric matrix, ascending, and their eigenvectors.

    Where many eigenvalues are the same, as of updates at right angles to each other, LAPACK's solver for
    some of them may find fewer without a word. Then all are computed, at several times the cost.
    """
    from scipy.linalg import (
        LinAlgError,
        eigh,
    )  # half of the library's import time, no use before a round

    m = len(matrix)
    try:
        values, vectors = eigh(matrix, subset_by_index=(m - number, m - 1))
    except LinAlgError:
        values = np.empty(0)
    if len(values) < number:
        values, vectors = np.linalg.eigh(matrix)
    return values[-number:], vectors[:, -number:]
