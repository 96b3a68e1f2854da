"""Coalition filtering: leave out copies, far updates and coalitions, and otherwise weigh all the same.

A weighting of this project, not of a paper. The estimators that it builds on bound the error for the
worst attack and pay for that bound always: they remove or down-weight an epsilon fraction of the
clients, honest or not. Here each step acts only on what it can show, and the last one is the bound:

1. copies speak with one voice (`parts.duplicates`);
2. updates much further out than all but f of them reach are dropped (`parts.outliers`);
3. a coalition (`coalition`), which stands apart from all others and moves the mean, is dropped, unless
   an equally harmful group is left: then honest clients come in groups;
4. the mean of what is left stands if the weights of least spread (`least_spread`) have the same mean up
   to what honest noise explains; the further apart the two are, the more those weights count instead.
   So what no step recognised moves the result by little more than honest noise might, beyond a robust
   mean. This is Lepski's rule for choosing between an efficient and a robust estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..updates import FloatArray
from .parts.coalition import NOISE, leaning, standard_error
from .parts.duplicates import heard_once
from .parts.outliers import Unsuspicious, num_malicious, unsuspicious
from .parts.spectrum import centred
from .weighting import Epsilon, Weighting, check_epsilon_or_auto


@dataclass(frozen=True)
class CoalitionFiltering(Weighting):
    """Equal weights for all but copies, far updates and coalitions; robust weights where they differ.

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
        f = num_malicious(self.epsilon, gramian)
        heard = heard_once(gramian, f)
        left = unsuspicious(heard, f)
        q = np.zeros(len(heard.gramian))
        q[left.voices] = efficient_or_robust(left)
        return q @ heard.to_voices


def efficient_or_robust(left: Unsuspicious) -> FloatArray:
    """Return equal weights, or robust ones the more, the further apart their means are (step 4)."""
    m = len(left.voices)
    equal = np.full(m, 1 / m)
    around_mean = centred(left.gramian, left.robust)
    difference = equal - left.robust
    apart = math.sqrt(max(float(difference @ around_mean @ difference), 0.0))
    length = math.sqrt(m * float(difference @ difference)) * standard_error(around_mean, left.robust)
    tolerated = NOISE * leaning(around_mean, left.robust) * length
    trust = 1.0 if apart <= tolerated else (tolerated / apart) ** 4
    return trust * equal + (1 - trust) * left.robust
