"""The weights under which updates spread least: a robust mean that needs no threshold.

A malicious minority that moves the mean by much spreads the updates along the way it moves them. So
among all weights that leave out up to an epsilon fraction, those of least spread are close to the
honest clients' mean (stability-based analyses: Diakonikolas, Kane, "Algorithmic High-Dimensional Robust
Statistics", 2023, chapter 2; Zhu, Jiao, Steinhardt 2022). Spread is measured as ``tr(Cov_q^4)``, the
Schatten 4-norm: nearly the largest eigenvalue, but smooth, and it sees all large directions at once.

With ``P = K_q D K_q`` (`spectrum` has the notation)::

    tr(Cov_q^4) = q^T (P * P) q          * entry by entry
    its gradient in q, over 4:  g = (P * P) q

so one matrix product gives value and gradient, and no eigenvector is needed. Multiplicative steps on
the capped simplex ``{sum q = 1, q_i <= cap}`` minimise it, as No-Regret does for the top eigenvalue.

As equal weights on the honest clients lie in that set, the least spread is at most theirs: malicious
clients can lower it, never raise it.
"""

from __future__ import annotations

import numpy as np

from ...arrays import FloatArray
from .capped_simplex import project_onto_capped_simplex
from .spectrum import centred

STEP = 0.3
"""What a client of average gradient loses in one step, in nats, before projection."""

MAX_LOSS = 30.0
"""The most that any client loses in one step, in nats: enough to drop it, and no overflow."""

SMALLEST = float(np.finfo(np.float64).tiny)
"""No spread below this: it could not be divided by."""

STEPS = 60
"""By then the spread falls by less than a hundredth of a per cent a step."""


def least_spread(gramian: FloatArray, cap: float) -> FloatArray:
    """Return weights of least ``tr(Cov_q^4)`` among those of at most ``cap`` each.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    cap : float
        The largest weight allowed; ``1 / (m - f)`` lets f updates be left out. Below ``1 / m`` it
        counts as that, which leaves equal weights only.
    """
    m = len(gramian)
    q = np.full(m, 1 / m)
    spreads = np.abs(np.diag(gramian))
    if m < 3 or cap <= 1 / m or not spreads.max() > 0:
        return q
    scaled = gramian / spreads.max()
    best, least = q, np.inf
    for _ in range(STEPS):
        around_mean = centred(scaled, q)
        gradient = ((around_mean * q) @ around_mean) ** 2 @ q
        value = float(q @ gradient)
        if value < least:
            best, least = q, value
        if not value > SMALLEST:
            break
        # Far clients' gradients are thousands of times the average; what they lose is limited each.
        q = project_onto_capped_simplex(q * np.exp(-np.minimum(STEP / value * gradient, MAX_LOSS)), cap)
    return best
