"""Which updates look malicious, and so how many: outliers and coalitions, once duplicates are merged.

`CoalitionFiltering` drops them, and ``epsilon="auto"`` counts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...epsilon import Epsilon, max_malicious
from .coalition import most_harmful_coalition
from .duplicates import MergedDuplicates, merge_duplicates
from .least_spread import least_spread
from .outliers import drop_outliers

STANDS_OUT = 1.5
"""A coalition does so many times as much harm as the most harmful group among the clients left.

If another does as much, honest clients come in groups, and neither is left out.
"""

MAX_AUTO_EPSILON = 0.4
"""The fraction up to which ``epsilon="auto"`` looks for malicious clients.

Cut in halves, a fifth of 90 draws of even honest noise looked like two groups; at 0.4 3% did.
"""


@dataclass(frozen=True)
class Inliers:
    """What is left without outliers and without a coalition.

    Attributes
    ----------
    indices : ndarray of int
        Which of the merged updates are left, ascending.
    gramian : ndarray
        Their inner products.
    robust : ndarray
        Their weights of least spread.
    """

    indices: NDArray[np.intp]
    gramian: FloatArray
    robust: FloatArray


def find_inliers(merged: MergedDuplicates, f: int) -> Inliers:
    """Leave out outliers and a coalition.

    Up to f outliers are left out, whatever duplicates were merged: honest outliers cost little,
    malicious ones anything. A coalition must fit into what the duplicates left of that number.
    """
    n = len(merged.gramian)
    near = drop_outliers(merged.gramian, min(f, (n - 1) // 2))
    left = max(merged.max_malicious - (n - len(near)), 0)
    cap = 1 / (len(near) - left)
    gramian = merged.gramian[np.ix_(near, near)]
    inliers = Inliers(near, gramian, least_spread(gramian, cap))
    coalition = most_harmful_coalition(gramian, left, inliers.robust)
    if not coalition.harm:
        return inliers
    others = np.delete(np.arange(len(near)), coalition.members)
    without = gramian[np.ix_(others, others)]
    robust_without = least_spread(without, cap)
    next_one = most_harmful_coalition(without, left, robust_without)
    if coalition.harm <= STANDS_OUT * next_one.harm:
        return inliers
    return Inliers(near[others], without, robust_without)


def max_malicious_among(gramian: FloatArray, epsilon: Epsilon) -> int:
    """Return f, how many of these updates are taken to be malicious at most.

    For "auto" as many as look malicious where up to `MAX_AUTO_EPSILON` of them might be: duplicates
    beyond one of a group, outliers and a coalition. Malicious clients who look like none of these are
    not counted.
    """
    m = len(gramian)
    if epsilon != "auto":
        return max_malicious(epsilon, m)
    f = max_malicious(MAX_AUTO_EPSILON, m)
    inliers = find_inliers(merge_duplicates(gramian, f), f)
    return min(m - len(inliers.indices), f)
