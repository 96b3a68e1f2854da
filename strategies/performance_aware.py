"""The performance-aware tilt: more weight for the clients that are served worst.

Equation (8) of PAwBRoFL (Fernando, Xiong, Patel, Stoll): with robust weights q and optimality gaps,
client i's weight is ``q_i softmax(z)_i`` where ``z_i = q_i gap_i / mu``. What the authors leave open is
that clients report their gaps themselves. Here, unless that is switched off, reports are bounded
(`bounded_reports`), and so is what they can do (`bounded_exponents`):

    Let clients L hold the share Q of the robust weight. Whatever anyone reports, or if it reports
    nothing, L's share of the tilted weight is at most ``rho Q / (1 + (rho - 1) Q)``, where rho is
    ``max_tilt``. Proof: client i's weight is ``q_i t_i`` with ``t_i`` between ``a`` and ``rho a``
    for one a > 0, so L's weight is at most ``rho a Q`` and the others' at least ``a (1 - Q)``; the
    share grows with the former and falls with the latter.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray
from .checks import require
from .epsilon import check_epsilon, max_malicious
from .mu_schedule import EffectiveClients, MuSchedule


@dataclass(frozen=True)
class PerformanceAware:
    """Tilt robust weights towards the clients with the largest optimality gaps.

    Parameters
    ----------
    mu : float, MuSchedule or EffectiveClients, optional
        Temperature, in units of loss times weight. The smaller, the more the worst-served client
        counts; with ``mu -> inf`` nothing is tilted. As the robust weights q sum to one, they are
        about 1/m, so what the authors' code calls ``mu`` (it leaves q at 1 where nothing is
        filtered) is ``mu / m`` here. By default ``1 / m`` for m updates: where q is even, a gap
        larger by 1 (in nats of cross-entropy) then counts e times as much, whatever m is.
    epsilon : float, default 0.2
        The fraction of clients that may lie about their gap; at least 0 and below 0.5.
    bound_reports : bool, default True
        Bound reports and what they can do. False gives equation (8) exactly.
    max_tilt : float, default 2.0
        The most by which reports may change the ratio of two clients' weights, at least 1. With 2, a
        coalition that holds the share Q of the robust weight gets at most ``2 Q / (1 + Q)``: it cannot
        even double it. Not used where ``bound_reports`` is False.
    preferences : mapping of str to float, or sequence of m floats, optional
        The lambda of equations (5) and (6): robust weights are multiplied with them and normalised
        before the tilt. By client name for the Flower strategies, by position for `aggregate`. All at
        least 0; 1 for clients that the mapping does not name. Clients name themselves unless the
        strategy is told otherwise, so prefer only where names can be trusted.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    mu: float | MuSchedule | EffectiveClients | None = None
    epsilon: float = 0.2
    bound_reports: bool = True
    max_tilt: float = 2.0
    preferences: Mapping[str, float] | Sequence[float] | None = None

    def __post_init__(self) -> None:
        require(not isinstance(self.mu, int | float) or self.mu > 0, "mu", "above 0", self.mu)
        check_epsilon(self.epsilon)
        require(1 <= self.max_tilt < math.inf, "max_tilt", "at least 1 and finite", self.max_tilt)
        _check_preferences(self.preferences)

    def at_round(self, server_round: int, clients: Sequence[str] = ()) -> PerformanceAware:
        """Return the tilt of a round, numbered from 1, for clients of these names.

        A schedule becomes its mu in that round. Preferences by name become those of the clients, in
        their order; a name that several clients claim is nobody's.
        """
        mu = self.mu.at_round(server_round) if isinstance(self.mu, MuSchedule) else self.mu
        preferences = self.preferences
        if isinstance(preferences, Mapping):
            claims = Counter(clients)
            preferences = [preferences.get(c, 1.0) if claims[c] == 1 else 1.0 for c in clients]
        return replace(self, mu=mu, preferences=preferences)

    def __call__(
        self,
        q: FloatArray,
        loss_gaps: Sequence[float] | FloatArray,
        positions: NDArray[np.intp] | None = None,
    ) -> FloatArray:
        """Return the tilted weights ``q_i softmax(z)_i``, before norm matching.

        Parameters
        ----------
        q : ndarray of shape (m,)
            Robust weights, ``q >= 0`` and ``sum q = 1``.
        loss_gaps : array-like of shape (m,)
            Reported optimality gaps, in units of loss. A client whose report is not a finite number
            counts as if it had reported the median; where no report of positive robust weight is finite,
            nothing is tilted.
        positions : ndarray of shape (m,), optional
            Where in ``preferences`` these clients stand, if not all clients are among them.

        Returns
        -------
        ndarray of shape (m,)
            Non-negative; they do not sum to one.

        Raises
        ------
        ValueError
            For a schedule or preferences by name that are not bound to a round (see `at_round`), or a
            wrong number of preferences.
        """
        if isinstance(self.mu, MuSchedule):
            raise ValueError(f"mu must be bound to a round with at_round, got {self.mu}")
        q = self._preferred(q, positions)
        reports = np.asarray(loss_gaps, dtype=np.float64)
        counted = q > 0
        reporting = counted & np.isfinite(reports)
        if not reporting.any():
            return q.copy()
        gaps = bounded_reports(reports, self.epsilon) if self.bound_reports else reports
        gaps = np.where(np.isfinite(gaps), gaps, weighted_median(gaps[reporting], q[reporting]))
        numerators = q[counted] * gaps[counted]

        def tilted_at(mu: float) -> FloatArray:
            return q[counted] * self._softmax(numerators, q[counted], mu)

        mu = 1 / len(q) if self.mu is None else self.mu
        if isinstance(mu, EffectiveClients):
            mu = mu.solve(tilted_at, _range(numerators))
        tilted = np.zeros(len(q))
        tilted[counted] = tilted_at(mu)
        return tilted

    def _preferred(self, q: FloatArray, positions: NDArray[np.intp] | None) -> FloatArray:
        if self.preferences is None:
            return q
        if isinstance(self.preferences, Mapping):
            raise ValueError("preferences by name must be bound to clients with at_round")
        preferences = np.asarray(self.preferences, dtype=np.float64)
        if positions is not None:
            preferences = preferences[positions]
        if preferences.shape != q.shape:
            raise ValueError(
                f"preferences must hold one number for each of {len(q)} clients, got {len(preferences)}"
            )
        largest = float(preferences.max())
        preferred: FloatArray = q * (preferences / largest) if largest > 0 else q
        total = float(preferred.sum())
        return np.asarray(preferred / total) if total > 0 else q

    def _softmax(self, numerators: FloatArray, q: FloatArray, mu: float) -> FloatArray:
        # Differences first: dividing by a tiny mu may overflow, but only to where exp is 0.
        with np.errstate(over="ignore"):
            if self.bound_reports:
                exponents = bounded_exponents(numerators, q, mu, self.max_tilt)
            else:
                exponents = (numerators - numerators.max()) / mu
        exponentials = np.exp(exponents)
        softmax: FloatArray = exponentials / exponentials.sum()
        return softmax


def _range(values: FloatArray) -> float:
    with np.errstate(over="ignore"):
        return min(float(np.ptp(values)), float(np.finfo(np.float64).max))


def _check_preferences(preferences: Mapping[str, float] | Sequence[float] | None) -> None:
    if preferences is None:
        return
    values = preferences.values() if isinstance(preferences, Mapping) else preferences
    for value in values:
        require(0 <= value < math.inf, "preferences", "at least 0 and finite", value)


def bounded_reports(reports: FloatArray, epsilon: float) -> FloatArray:
    """Cut reports to what honest clients reach if f of m clients lie, the most that epsilon allows.

    The ``m - f``-th smallest of all reports is no larger than the largest honest one, whatever malicious
    clients report, as at least so many reports are honest. Reports that are no finite numbers count as
    larger than all others. Below, the bound is 0: a gap is the distance to an optimum, and a
    negative one is noise or a lie.

    Parameters
    ----------
    reports : ndarray of shape (m,)
    epsilon : float

    Returns
    -------
    ndarray of shape (m,)
        NaN where the report is not a finite number.
    """
    finite = np.isfinite(reports)
    ascending = np.sort(np.where(finite, reports, np.inf))
    honest = len(reports) - max_malicious(epsilon, len(reports))
    largest = min(float(ascending[honest - 1]), float(reports[finite].max(initial=0.0)))
    return np.where(finite, np.clip(reports, 0.0, max(largest, 0.0)), np.nan)


def bounded_exponents(numerators: FloatArray, q: FloatArray, mu: float, max_tilt: float) -> FloatArray:
    """Return ``numerators / mu`` around their median, no two farther apart than log(max_tilt).

    The median is by robust weight, so clients that hold less than half of it cannot move it beyond the
    others' numerators.
    """
    centre = weighted_median(numerators, q)
    half = math.log(max_tilt) / 2
    return np.clip((numerators - centre) / mu, -half, half)


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """Return the smallest value that values holding half of the total weight stay within."""
    ascending = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[ascending])
    index = int(np.searchsorted(reached, 0.5 * reached[-1] * (1 - 1e-12)))
    return float(values[ascending[min(index, len(values) - 1)]])
