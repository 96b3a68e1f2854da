"""Groups that stand apart are set aside, several at once, before another weighting sees the rest.

A weighting of this project. Alone it throws out honest minorities together with attackers; it is meant
for `strategies.branches`, which gives those who are set aside again and again a model of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..epsilon import Epsilon, check_epsilon_or_auto
from .parts.inliers import max_malicious_among
from .parts.similar_groups import groups_apart
from .weighting import Weighting


@dataclass(frozen=True)
class GroupSplitting(Weighting):
    """No weight for groups of three and more that stand apart; the others' weights are another's.

    However many are set aside, as many of the others are taken to be malicious as before: the groups
    may be honest.

    Parameters
    ----------
    weighting : Weighting
        What weighs the others, if it has an epsilon with the one that withstands as many of them.
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    weighting: Weighting
    epsilon: Epsilon = 0.2

    def __post_init__(self) -> None:
        check_epsilon_or_auto(self.epsilon)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights; 0 for groups that stand apart."""
        m = len(gramian)
        f = max_malicious_among(gramian, self.epsilon)
        groups = groups_apart(gramian, f)
        left = np.setdiff1d(np.arange(m), np.concatenate([*groups, np.empty(0, dtype=np.intp)]))
        q = np.zeros(m)
        q[left] = withstanding(self.weighting, f, len(left))(gramian[np.ix_(left, left)])
        return q


def withstanding(weighting: Weighting, f: int, num_clients: int) -> Weighting:
    """Return the weighting with the epsilon at which f of so many clients may be malicious.

    Always a minority of them. A weighting without an epsilon of its own is returned as it is, and so is
    one whose epsilon is "auto".
    """
    kind: Any = weighting
    if all(field.name != "epsilon" for field in fields(kind)) or kind.epsilon == "auto":
        return weighting
    changed: Weighting = replace(kind, epsilon=min(f, (num_clients - 1) // 2) / num_clients)
    return changed
