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

import numpy as np

from ..updates import FloatArray


def centred(gramian: FloatArray, q: FloatArray) -> FloatArray:
    """Return ``K_q``, the Gramian of the rows centred at their q-mean."""
    products = gramian @ q
    return gramian - products[:, None] - products[None, :] + float(q @ products)


def top_direction(gramian: FloatArray, q: FloatArray) -> tuple[float, FloatArray]:
    """Return the norm of the q-covariance and the quasi-gradients along its top eigenvector.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    q : ndarray of shape (m,)
        Weights, ``q >= 0`` and ``sum q = 1``.

    Returns
    -------
    eigenvalue : float
        ``||Cov_q||_2``, at least 0.
    quasi_gradients : ndarray of shape (m,)
        Squared distance of each update from the q-mean along the top eigenvector; zeros where the
        covariance vanishes.
    """
    from scipy.linalg import eigh  # half of the library's import time, not needed before a round

    m = len(q)
    roots = np.sqrt(q)
    around_mean = centred(gramian, q)
    values, vectors = eigh(roots[:, None] * around_mean * roots[None, :], subset_by_index=(m - 1, m - 1))
    eigenvalue = float(values[0])
    if eigenvalue <= np.finfo(np.float64).eps * float(np.abs(np.diag(gramian)).max(initial=0.0)):
        return max(eigenvalue, 0.0), np.zeros(m)
    return eigenvalue, (around_mean @ (roots * vectors[:, 0])) ** 2 / eigenvalue
