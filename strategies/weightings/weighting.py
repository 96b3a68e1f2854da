"""What every robust weighting is: a map from the Gramian of the updates to weights that sum to one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

from ..updates import FloatArray


class Weighting(ABC):
    """Maps the Gramian of m updates to m robust weights q.

    Weightings are immutable and keep nothing between calls; what one call returns depends on its
    argument alone. They are equivariant to a permutation of the clients and invariant to a common
    shift and to a scaling of the updates.
    """

    @abstractmethod
    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the robust weights.

        Parameters
        ----------
        gramian : ndarray of shape (m, m), float64
            Inner products of the updates, all shifted by one common vector.

        Returns
        -------
        ndarray of shape (m,), float64
            q with ``q >= 0`` and ``sum q = 1``; 0 for an update that is left out.
        """


Epsilon = float | Literal["auto"]
"""The fraction of malicious clients to withstand, or "auto": judged from each round's updates."""


def check_epsilon(epsilon: float) -> None:
    """Raise ``ValueError`` unless ``0 <= epsilon < 0.5``, the fractions that can be told apart."""
    if isinstance(epsilon, str) or not 0 <= epsilon < 0.5:
        raise ValueError(f"epsilon must be at least 0 and below 0.5, got {epsilon!r}")


def check_epsilon_or_auto(epsilon: Epsilon) -> None:
    """Raise ``ValueError`` unless epsilon is "auto" or ``0 <= epsilon < 0.5``."""
    if epsilon != "auto":
        check_epsilon(epsilon)


def most_malicious(epsilon: float, num_clients: int) -> int:
    """Return ``epsilon m``, rounded up, but always a minority of the clients."""
    return min(math.ceil(epsilon * num_clients - 1e-9), (num_clients - 1) // 2)
