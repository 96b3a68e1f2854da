"""Agnostic federated learning (AFL): the worst mixture of the clients' losses is minimised.

Mohri, Sivek, Suresh, "Agnostic federated learning" (ICML 2019), algorithm 1: descent in the model and,
at the same time, projected ascent in the mixture lambda::

    lambda <- projection on the simplex of  lambda + step * F
    theta  <- theta - sum_i lambda_i g_i
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..checks import require
from .box_simplex import project_onto_box_simplex
from .fair_weighting import FairWeighting


@dataclass(frozen=True)
class AgnosticFL(FairWeighting):
    """Weights lambda, which are its state.

    Of clients that are away from a round, lambda stays; the others' is projected to what is left, and
    the weights are those of the clients present, normalised.

    Parameters
    ----------
    step : float, default 0.01
        Of the ascent, per unit of loss; at least 0. 0 is federated averaging.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    step: float = 0.01

    def __post_init__(self) -> None:
        require(0 <= self.step < math.inf, "step", "at least 0 and finite", self.step)

    def init(self, num_clients: int) -> FloatArray:
        """Return equal weights."""
        return np.full(num_clients, 1 / num_clients)

    def _weights(
        self, state: FloatArray, gramian: FloatArray, losses: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        held = float(state.sum())
        if not held > 0:
            return np.full(len(losses), 1 / len(losses)), state
        # Beyond one, differences of the ascent change nothing more: the largest alone is left.
        ascent = np.clip(self.step * (losses - losses.max()) / held, -2.0, 0.0)
        weights = project_onto_box_simplex(state / held + ascent)
        return weights, held * weights
