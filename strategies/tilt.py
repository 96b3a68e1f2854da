"""What a tilt is: it turns robust weights towards the clients that report to be served worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray


class Tilt(Protocol):
    """`PerformanceAware`, `ScaleFreeTilt`, or another."""

    def at_round(self, server_round: int, clients: Sequence[str] = ()) -> Tilt:
        """Return the tilt of a round with these clients."""
        ...

    def __call__(
        self,
        q: FloatArray,
        loss_gaps: Sequence[float] | FloatArray,
        positions: NDArray[np.intp] | None = None,
    ) -> FloatArray:
        """Return the tilted weights, before norm matching.

        Parameters
        ----------
        q : ndarray of shape (m,)
            Robust weights, ``q >= 0`` and ``sum q = 1``.
        loss_gaps : array-like of shape (m,)
            Reported optimality gaps.
        positions : ndarray of shape (m,), optional
            Which of the round's clients these are.
        """
        ...
