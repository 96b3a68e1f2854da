"""The performance-aware tilt: more weight for the clients that are served worst.

Equation (8) of PAwBRoFL (Fernando, Xiong, Patel, Stoll): with robust weights q and optimality gaps,
client i's weight is ``q_i softmax(z)_i`` where ``z_i = q_i gap_i / mu``. What the authors leave open is
that clients report their gaps themselves; here the reports are bounded unless that is switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .updates import FloatArray
from .weightings.weighting import check_epsilon


@dataclass(frozen=True)
class PerformanceAware:
    """Tilt robust weights towards the clients with the largest optimality gaps.

    Parameters
    ----------
    mu : float, optional
        Temperature, in units of loss times weight. The smaller, the more the worst-served client
        counts; with ``mu -> inf`` nothing is tilted. As the robust weights q sum to one, they are
        about 1/m, so what the authors' code calls ``mu`` (it leaves q at 1 where nothing is
        filtered) is ``mu / m`` here. By default ``1 / m`` for m updates: where q is even, a gap
        larger by 1 (in nats of cross-entropy) then counts e times as much, whatever m is.
    epsilon : float, default 0.2
        The fraction of clients that may lie about their gap; at least 0 and below 0.5.
    bound_reports : bool, default True
        Cut reported gaps at the value that clients holding ``1 - epsilon`` of the robust weight stay
        within. False gives equation (8) exactly.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    mu: float | None = None
    epsilon: float = 0.2
    bound_reports: bool = True

    def __post_init__(self) -> None:
        if self.mu is not None and not self.mu > 0:
            raise ValueError(f"mu must be above 0, got {self.mu}")
        check_epsilon(self.epsilon)

    def __call__(self, q: FloatArray, loss_gaps: Sequence[float] | FloatArray) -> FloatArray:
        """Return the tilted weights ``q_i softmax(z)_i``, before norm matching.

        Parameters
        ----------
        q : ndarray of shape (m,)
            Robust weights, ``q >= 0`` and ``sum q = 1``.
        loss_gaps : array-like of shape (m,)
            Reported optimality gaps, in units of loss. A client whose report is not a finite number
            gets no weight; where no report of positive robust weight is finite, q comes back as it is.

        Returns
        -------
        ndarray of shape (m,)
            Non-negative; they do not sum to one.
        """
        gaps = np.asarray(loss_gaps, dtype=np.float64)
        counted = np.isfinite(gaps) & (q > 0)
        if not counted.any():
            return q.copy()
        weights, gaps = q[counted], gaps[counted]
        if self.bound_reports:
            gaps = np.minimum(gaps, weighted_quantile(gaps, weights, 1 - self.epsilon))
        mu = 1 / len(q) if self.mu is None else self.mu
        z = weights * gaps
        # Differences first: dividing by a tiny mu may overflow, but only to where exp is 0.
        with np.errstate(over="ignore"):
            exponentials = np.exp((z - z.max()) / mu)
        tilted = np.zeros(len(q))
        tilted[counted] = weights * exponentials / exponentials.sum()
        return tilted


def weighted_quantile(values: FloatArray, weights: FloatArray, level: float) -> float:
    """Return the smallest value that values holding ``level`` of the total weight stay within."""
    ascending = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[ascending])
    index = int(np.searchsorted(reached, level * reached[-1] * (1 - 1e-12)))
    return float(values[ascending[min(index, len(values) - 1)]])
