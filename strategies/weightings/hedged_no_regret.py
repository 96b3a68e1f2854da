"""Hedged No-Regret: coalition filtering, unless No-Regret's mean is further off than noise explains.

A weighting of this project. Coalition filtering alone falls back on the weights of least spread, and
only on what it left in; where it was led to drop honest clients, that cannot mend it. Here the fallback
is No-Regret on all updates, chosen by the same rule (Lepski's, `coalition_filtering.unless_apart`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..arrays import FloatArray
from ..epsilon import Epsilon, check_epsilon_or_auto
from .coalition_filtering import CoalitionFiltering, unless_apart
from .no_regret import NoRegret
from .weighting import Weighting


@dataclass(frozen=True)
class HedgedNoRegret(Weighting):
    """Weights between `CoalitionFiltering` and `NoRegret`: the first's where their means agree.

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
        """Return the weights; 0 for the updates that both leave out."""
        efficient, robust = CoalitionFiltering(self.epsilon)(gramian), NoRegret(self.epsilon)(gramian)
        return unless_apart(gramian, efficient, robust)
