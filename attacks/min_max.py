"""Min-max and min-sum: as far from the honest mean as the honest updates' own distances allow.

Shejwalkar, Houmansadr, "Manipulating the Byzantine: optimizing model poisoning attacks and defenses
for federated learning" (NDSS 2021). The update sent is ``mean + gamma p`` with a direction p of their
section IV and the largest gamma that keeps a constraint. They search for gamma; as the constraints are
quadratic in it, it is computed here.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from .attack import Attack, Update
from .knowledge import Knowledge
from .update_vectors import Vector, in_form_of, known_updates

DIRECTIONS = ("deviation", "mean", "sign")


@dataclass(frozen=True, kw_only=True)
class OptimisedDistance(Attack):
    """What min-max and min-sum have in common.

    Parameters
    ----------
    direction : str, default "deviation"
        p: minus the coordinates' standard deviations ("deviation"), minus the normalised mean ("mean")
        or minus its signs ("sign").
    """

    direction: str = "deviation"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, got {self.direction!r}")

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the mean, moved; with a single known update there is nothing to hide in."""
        known = known_updates(knowledge)
        mean = known.mean(axis=0)
        p = self._perturbation(known, mean)
        squared = float(p @ p)
        if squared == 0:
            return in_form_of(mean, update)
        return in_form_of(mean + self.largest_gamma(known - mean, p, squared) * p, update)

    @abstractmethod
    def largest_gamma(self, centred: Vector, p: Vector, squared: float) -> float:
        """Return the largest gamma for centred known updates (n, d), p (d,) and its squared length."""

    def _perturbation(self, known: Vector, mean: Vector) -> Vector:
        if self.direction == "deviation":
            return np.asarray(-known.std(axis=0))
        if self.direction == "sign":
            return np.asarray(-np.sign(mean))
        return np.asarray(-mean / max(float(np.linalg.norm(mean)), float(np.finfo(np.float64).tiny)))


class MinMax(OptimisedDistance):
    """Be no farther from any known update than two of them are from each other."""

    def largest_gamma(self, centred: Vector, p: Vector, squared: float) -> float:
        """Return the least positive root of ``|gamma p - c_i|^2 = largest distance^2`` over all i."""
        gramian = centred @ centred.T
        lengths = np.diag(gramian)
        farthest = float((lengths[:, None] + lengths[None, :] - 2 * gramian).max())
        along = centred @ p
        discriminant = along**2 + squared * np.maximum(farthest - lengths, 0.0)
        return max(float(((along + np.sqrt(discriminant)) / squared).min()), 0.0)


class MinSum(OptimisedDistance):
    """Have a sum of squared distances to the known updates that is no larger than one of theirs."""

    def largest_gamma(self, centred: Vector, p: Vector, squared: float) -> float:
        """Return the positive root of ``sum_i |gamma p - c_i|^2 = largest such sum``."""
        # Around their mean, update j's sum of squared distances to all n is sum_i |c_i|^2 + n |c_j|^2.
        longest = float(np.einsum("ij,ij->i", centred, centred).max())
        return float(np.sqrt(longest / squared))
