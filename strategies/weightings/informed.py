"""Weightings that know more of the updates than their inner products: who sent them, what they do."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from .weighting import Weighting


class Informed(NamedTuple):
    """Weights, and who counts because of what is known beside the Gramian.

    Attributes
    ----------
    weights : ndarray of shape (m,)
        They sum to one.
    brought_back_by : ndarray of str
        What made an update count that would be left out; empty where nothing did.
    """

    weights: FloatArray
    brought_back_by: NDArray[np.str_]


class InformedWeighting(Weighting):
    """Knows the updates one by one, so it must be told which of them a Gramian is of."""

    @abstractmethod
    def among(self, positions: NDArray[np.intp]) -> Self:
        """Return the weighting of some of the updates, in this order."""

    @abstractmethod
    def weigh(self, gramian: FloatArray) -> Informed:
        """Return the weights, and who counts because of what is known."""

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights."""
        return self.weigh(gramian).weights
