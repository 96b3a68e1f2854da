"""What every robust weighting is: a map from the Gramian of the updates to weights that sum to one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..arrays import FloatArray


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
