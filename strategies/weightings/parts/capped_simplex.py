"""Projection onto the capped simplex: weights that sum to one and of which none is above a cap."""

from __future__ import annotations

import numpy as np

from ...arrays import FloatArray


def project_onto_capped_simplex(weights: FloatArray, cap: float) -> FloatArray:
    """Return the point of ``{q : sum q = 1, 0 <= q <= cap}`` closest in relative entropy.

    The minimiser of ``KL(q || weights)`` keeps the k largest at the cap and scales the others by one
    common factor; k is the smallest number for which no scaled one exceeds the cap.

    Parameters
    ----------
    weights : ndarray of shape (m,)
        Non-negative, not all zero.
    cap : float
        At least 1 / m.
    """
    descending = np.argsort(-weights, kind="stable")
    ordered = weights[descending]
    tails = np.cumsum(ordered[::-1])[::-1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scales = (1 - cap * np.arange(len(weights))) / tails
        feasible = (tails > 0) & (scales >= 0) & (scales * ordered <= cap * (1 + 1e-12))
    k = int(np.argmax(feasible)) if feasible.any() else 0
    projected: FloatArray = np.empty_like(weights)
    projected[descending] = np.where(np.arange(len(weights)) < k, cap, scales[k] * ordered)
    normalised: FloatArray = projected / projected.sum()
    return normalised
