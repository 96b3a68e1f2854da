"""Which updates look malicious, and so how many: far ones and coalitions, among those heard once.

`CoalitionFiltering` drops them, and ``epsilon="auto"`` counts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...gramian import squared_distances
from ...updates import FloatArray
from ..weighting import Epsilon, most_malicious
from .coalition import most_harmful_coalition
from .duplicates import HeardOnce, heard_once
from .least_spread import least_spread

FAR = 2.5
"""Far are updates further out than this many times the inner updates' largest distance."""

STANDS_OUT = 1.5
"""A coalition does so many times as much harm as the most harmful group among the clients left.

If another does as much, honest clients come in groups, and neither is left out.
"""

AUTO_AT_MOST = 0.4
"""The fraction up to which ``epsilon="auto"`` looks for malicious clients.

Cut in halves, a fifth of 90 draws of even honest noise looked like two groups; at 0.4 3% did.
"""


@dataclass(frozen=True)
class Unsuspicious:
    """What is left without far updates and without a coalition.

    Attributes
    ----------
    voices : ndarray of int
        The numbers of those that are left, ascending.
    gramian : ndarray
        Their inner products.
    robust : ndarray
        Their weights of least spread, for which ``most`` of them may be left out.
    most : int
        How many of them may still be malicious.
    """

    voices: NDArray[np.intp]
    gramian: FloatArray
    robust: FloatArray
    most: int


def unsuspicious(heard: HeardOnce, num_malicious: int) -> Unsuspicious:
    """Leave out far updates and a coalition.

    Up to ``num_malicious`` far ones are left out, whatever copies were merged: far honest clients cost
    little, far malicious ones anything. A coalition must fit into what the copies left of the number.
    """
    v = len(heard.gramian)
    near = without_far(heard.gramian, min(num_malicious, (v - 1) // 2))
    most = max(heard.most_malicious - (v - len(near)), 0)
    gramian = heard.gramian[np.ix_(near, near)]
    robust = least_spread(gramian, 1 / (len(near) - most))
    coalition = most_harmful_coalition(gramian, most, robust)
    if not coalition.harm:
        return Unsuspicious(near, gramian, robust, most)
    left = np.delete(np.arange(len(near)), coalition.members)
    without = gramian[np.ix_(left, left)]
    cap = 1 / (len(near) - most)
    robust_without = least_spread(without, cap)
    next_one = most_harmful_coalition(without, most, robust_without)
    if coalition.harm <= STANDS_OUT * next_one.harm:
        return Unsuspicious(near, gramian, robust, most)
    return Unsuspicious(near[left], without, robust_without, most - len(coalition.members))


def without_far(gramian: FloatArray, most: int) -> NDArray[np.intp]:
    """Drop up to ``most`` updates that are `FAR` out from the mean of all others, the innermost.

    Those are nearest to the update whose ball around so many of them is smallest. Malicious updates
    cannot widen it: honest clients' own balls are candidates.
    """
    v = len(gramian)
    number = v - most
    if most < 1:
        return np.arange(v)
    distances = squared_distances(gramian)
    centre = int(np.argmin(np.partition(distances, number - 1, axis=1)[:, number - 1]))
    innermost = np.argsort(distances[centre], kind="stable")[:number]
    to_innermost = distances[:, innermost]
    scatter = float(to_innermost[innermost].mean()) / 2
    from_mean = np.sqrt(np.maximum(to_innermost.mean(axis=1) - scatter, 0.0))
    reach = FAR * float(np.sort(from_mean)[number - 1])
    outward = np.argsort(-from_mean, kind="stable")[:most]
    return np.setdiff1d(np.arange(v), outward[from_mean[outward] > reach])


def num_malicious(epsilon: Epsilon, gramian: FloatArray) -> int:
    """Return how many of the updates are taken to be malicious.

    ``epsilon m``, rounded up; for "auto" as many as look malicious where up to `AUTO_AT_MOST` of them
    might be: copies beyond one of a group, far ones and a coalition. Malicious clients who look like
    none of these are not counted.
    """
    m = len(gramian)
    if epsilon != "auto":
        return most_malicious(epsilon, m)
    most = most_malicious(AUTO_AT_MOST, m)
    heard = heard_once(gramian, most)
    return min(m - len(unsuspicious(heard, most).voices), most)
