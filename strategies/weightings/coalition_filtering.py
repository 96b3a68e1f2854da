"""Coalition filtering: leave out duplicates, outliers and coalitions, and otherwise weigh all the same.

A weighting of this project, not of a paper. The estimators that it builds on bound the error for the
worst attack and pay for that bound always: they remove or down-weight an epsilon fraction of the
clients, honest or not. Here each step acts only on what it can show, and the last one is the bound:

1. duplicates are merged and count as one update (`parts.duplicates`);
2. outliers, much further out than all but f updates reach, are dropped (`parts.outliers`);
3. a coalition (`parts.coalition`), which stands apart from all others and moves the mean, is dropped,
   unless an equally harmful group is left: then honest clients come in groups;
4. the mean of what is left stands if the weights of least spread (`parts.least_spread`) have the same
   mean up to what honest noise explains; the further apart the two are, the more those weights count
   instead. So what no step recognised moves the result by little more than honest noise might, beyond a
   robust mean (`unless_apart`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..epsilon import Epsilon, check_epsilon_or_auto
from .parts.coalition import NOISE, leaning, standard_error
from .parts.duplicates import merge_duplicates
from .parts.inliers import Inliers, find_inliers, max_malicious_among
from .parts.spectrum import centred
from .weighting import Weighting


@dataclass(frozen=True)
class CoalitionFiltering(Weighting):
    """Equal weights for all but duplicates, outliers and coalitions; robust weights where they differ.

    Parameters
    ----------
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    epsilon: Epsilon = 0.2

    def __post_init__(self) -> None:
        check_epsilon_or_auto(self.epsilon)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights; 0 for the updates that are left out."""
        f = max_malicious_among(gramian, self.epsilon)
        merged = merge_duplicates(gramian, f)
        inliers = find_inliers(merged, f)
        q = np.zeros(len(merged.gramian))
        q[inliers.indices] = efficient_or_robust(inliers)
        return q @ merged.merging


def efficient_or_robust(inliers: Inliers) -> FloatArray:
    """Return equal weights, or robust ones the more, the further apart their means are (step 4)."""
    m = len(inliers.indices)
    return unless_apart(inliers.gramian, np.full(m, 1 / m), inliers.robust)


def unless_apart(gramian: FloatArray, efficient: FloatArray, robust: FloatArray) -> FloatArray:
    """Return efficient weights, or robust ones the more, the further apart their means are.

    What honest noise explains is tolerated. This is Lepski's rule for choosing between an efficient and
    a robust estimate.
    """
    m, around_mean = len(gramian), centred(gramian, robust)
    difference = efficient - robust
    apart = math.sqrt(max(float(difference @ around_mean @ difference), 0.0))
    length = math.sqrt(m * float(difference @ difference)) * standard_error(around_mean, robust)
    tolerated = NOISE * leaning(around_mean, robust) * length
    trust = 1.0 if apart <= tolerated else (tolerated / apart) ** 4
    return trust * efficient + (1 - trust) * robust
