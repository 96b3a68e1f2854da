"""A tilt that asks how unusual a client's gap is among the others', not how large it is.

Equation (8) of PAwBRoFL has the gap times the robust weight in its exponent: once all gaps are small it
changes nothing, and a client of lowered weight is held back twice. Here gaps are standardised by the
robust weights' median and median absolute deviation (MAD; 1.4826 times it is a standard deviation where
gaps are normally distributed), and the exponent holds nothing else::

    z_i = strength * (gap_i - median) / (1.4826 MAD)
    w_i ~ q_i exp(z_i cut to +- log(max_tilt) / 2)

So the ratio of two clients' weights changes by at most ``max_tilt``, and the proof of
`strategies.performance_aware` holds word for word: clients who hold the share Q of the robust weight
get at most ``rho Q / (1 + (rho - 1) Q)`` with ``rho = max_tilt``, whatever anyone reports.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray
from .checks import require
from .performance_aware import weighted_median

NORMAL = 1.4826
"""A standard deviation over the MAD of a normal distribution."""


@dataclass(frozen=True)
class ScaleFreeTilt:
    """Tilt robust weights towards clients whose gap is unusually large among the others'.

    In place of a `PerformanceAware`. Multiplying all gaps by one number, or adding one, changes nothing.

    Parameters
    ----------
    strength : float, default 1.0
        Nats of weight for each standard deviation; at least 0, and 0 tilts nothing.
    max_tilt : float, default 2.0
        The most by which reports may change the ratio of two clients' weights, at least 1.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    strength: float = 1.0
    max_tilt: float = 2.0

    def __post_init__(self) -> None:
        require(0 <= self.strength < math.inf, "strength", "at least 0 and finite", self.strength)
        require(1 <= self.max_tilt < math.inf, "max_tilt", "at least 1 and finite", self.max_tilt)

    def at_round(self, server_round: int, clients: Sequence[str] = ()) -> ScaleFreeTilt:
        """Return the tilt of a round, which is the same in every round."""
        return self

    def __call__(
        self,
        q: FloatArray,
        loss_gaps: Sequence[float] | FloatArray,
        positions: NDArray[np.intp] | None = None,
    ) -> FloatArray:
        """Return the tilted weights, before norm matching.

        Parameters
        ----------
        q : ndarray of shape (m,)
            Robust weights, ``q >= 0`` and ``sum q = 1``.
        loss_gaps : array-like of shape (m,)
            Reported optimality gaps. A client whose report is not a finite number counts as if it had
            reported the median; where no report of positive robust weight is finite, or at least half of
            that weight reports one and the same gap, nothing is tilted.
        positions : ndarray of shape (m,), optional
            Not used.

        Returns
        -------
        ndarray of shape (m,)
            Non-negative, with the sum one.
        """
        reports = np.asarray(loss_gaps, dtype=np.float64)
        counted = np.isfinite(reports) & (q > 0)
        if not counted.any():
            return q.copy()
        tilted = q.copy()
        tilted[counted] = q[counted] * np.exp(self._exponents(reports[counted], q[counted]))
        total = float(tilted.sum())
        return np.asarray(tilted / total)

    def _exponents(self, gaps: FloatArray, q: FloatArray) -> FloatArray:
        scaled = gaps / max(float(np.abs(gaps).max()), np.finfo(np.float64).tiny)  # no overflow below
        offsets = scaled - weighted_median(scaled, q)
        deviation = NORMAL * weighted_median(np.abs(offsets), q)
        if not deviation > 0:
            return np.zeros(len(gaps))
        half = math.log(self.max_tilt) / 2
        with np.errstate(over="ignore"):  # to where the cut holds
            return np.clip(self.strength * offsets / deviation, -half, half)
