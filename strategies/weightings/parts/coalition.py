"""Searching for a coalition: a group of clients that pull the mean the same way, apart from all others.

Clients who move the mean of m updates by much must, on average, agree with each other: with offsets
``x_i - mean`` the square of the shift is ``sum_ij a_i a_j <x_i - mean, x_j - mean>`` for the weights a
that the group gains. A group can hide from the largest eigenvalue, behind directions in which honest
clients vary as much, but not from a comparison of how it lies along its own direction: honest clients
are spread along any direction, a coalition stands apart from them.

The search alternates two steps until they agree, from several starts: given a group, project all
updates on the difference that it makes to the mean; given projections, cut off the group that stands
apart most. It is two-means clustering with two corrections. Each update is projected on what the
*others* add to the difference, as in many dimensions any group is apart along the sum of its own noise.
And a cut is judged against the best cut of normally distributed projections, so that it means nothing
to be the tail of one bell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from .spectrum import centred, largest_eigenpairs

DIRECTIONS = 6
"""So many of the updates' main directions, both ways, are starts of the search."""

ROUNDS = 15

NOISE = math.sqrt(2)
"""So many times further than `leaning` weights is more than honest noise: twice its variance."""

EVIDENCE = 10.0
EVIDENCE_PER_UPDATE = 0.1
"""In nats: what a cut must have, and for each of m updates more, to be a coalition.

The search takes the best of many cuts, and finds the more of them the more updates there are.
"""


@dataclass(frozen=True)
class Coalition:
    """Some updates that pull the mean the same way.

    Attributes
    ----------
    members : ndarray of int
        Their numbers, ascending.
    harm : float
        How far the mean moves if they are left out, in standard errors of the mean.
    """

    members: NDArray[np.intp]
    harm: float


NO_COALITION = Coalition(np.zeros(0, dtype=np.intp), 0.0)


def most_harmful_coalition(gramian: FloatArray, max_members: int, robust: FloatArray) -> Coalition:
    """Return the coalition of at most ``max_members`` updates that moves the mean furthest.

    Only those are coalitions whose evidence is above ``10 + m / 10`` nats, and who move the mean by more
    than a standard error, or than honest noise would.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    max_members : int
        The largest number of members.
    robust : ndarray of shape (m,)
        Weights of a robust mean, around which the search starts: those of `least_spread`.
    """
    m = len(gramian)
    max_members = min(max_members, m - 2)
    if max_members < 1:
        return NO_COALITION
    around = centred(gramian, robust)
    unit = standard_error(around, robust)
    by_noise = NOISE * leaning(around, robust)
    if not unit > 0:
        return NO_COALITION
    reference = _evidence_of_one_bell(m, max_members)
    worst, seen = NO_COALITION, set()
    for projections in _starts(around, robust):
        for _ in range(ROUNDS):
            members, evidence = _cut(projections, reference)
            key = members.tobytes()
            if key in seen:
                break
            seen.add(key)
            difference = np.full(m, 1 / m - 1 / (m - len(members)))
            difference[members] = 1 / m
            products = around @ difference
            harm = math.sqrt(max(float(difference @ products), 0.0)) / unit
            noticeable = harm > min(1.0, by_noise * math.sqrt(m * float(difference @ difference)))
            if evidence > EVIDENCE + EVIDENCE_PER_UPDATE * m and noticeable and harm > worst.harm:
                worst = Coalition(members, harm)
            projections = products - np.diag(around) * difference
    return worst


def standard_error(around_mean: FloatArray, q: FloatArray) -> float:
    """Return the root of the total variance under q over m: one unit of sampling noise."""
    return math.sqrt(max(float(q @ np.diag(around_mean)), 0.0) / len(q))


def leaning(around_mean: FloatArray, q: FloatArray) -> float:
    """Return how much further than any others, weights move the mean that lean to wide directions.

    A change ``a`` of the weights that has nothing to do with the updates moves their mean by the root of
    ``|a|^2 tr Cov``. One that leans to each direction as far as the updates vary along it, as honest
    noise makes robust weights do, moves it further: by the root of ``m tr(Cov^2) / tr(Cov)^2``, which is
    1 where all directions are alike, and root m where there is only one.
    """
    total = float(q @ np.diag(around_mean))
    squares = float(q @ around_mean**2 @ q)
    return math.sqrt(len(q) * squares) / total if total > 0 else 1.0


def _starts(around: FloatArray, q: FloatArray) -> Iterator[FloatArray]:
    """Yield projections: on what q left out, then on the main directions."""
    m = len(q)
    difference = 1 / m - q
    yield around @ difference - np.diag(around) * difference
    number = min(DIRECTIONS, m - 1)
    _, directions = largest_eigenpairs(centred(around, np.full(m, 1 / m)), number)
    for j in range(number - 1, -1, -1):
        yield directions[:, j]
        yield -directions[:, j]


def _evidence_of_one_bell(m: int, max_members: int) -> FloatArray:
    """Return the evidence for a cut of 1 to ``max_members`` from one normally distributed group of m."""
    from scipy.special import ndtri

    share = np.arange(1, max_members + 1) / m
    density = np.exp(-(ndtri(share) ** 2) / 2) / math.sqrt(2 * math.pi)
    explained = np.minimum(density**2 / (share * (1 - share)), 0.999)
    evidence: FloatArray = -m / 2 * np.log1p(-explained)
    return evidence


def _cut(projections: FloatArray, reference: FloatArray) -> tuple[NDArray[np.intp], float]:
    """Return the upper group that stands apart most, and the evidence for it.

    Evidence is the log-likelihood, in nats, of two normal groups of one variance over one, less what the
    best cut of a single normal group would have.
    """
    m, max_members = len(projections), len(reference)
    descending = np.argsort(-projections, kind="stable")
    upper = np.cumsum(projections[descending])
    sizes = np.arange(1, max_members + 1)
    apart = upper[:max_members] / sizes - (upper[-1] - upper[:max_members]) / (m - sizes)
    variance = max(float(projections.var()), np.finfo(np.float64).tiny)
    explained = np.minimum(sizes * (m - sizes) / m**2 * apart**2 / variance, 1 - 1e-12)
    evidence = -m / 2 * np.log1p(-explained) - reference
    size = int(np.argmax(evidence)) + 1
    return np.sort(descending[:size]), float(evidence[size - 1])
