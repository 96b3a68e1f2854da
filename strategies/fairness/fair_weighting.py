"""What a fair aggregator is here: a map from the updates' Gramian and the clients' losses to weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from ..arrays import FloatArray


class FairWeighting(ABC):
    """Maps the losses under the received model, and the updates' Gramian, to weights.

    None of them is robust: they believe the losses that clients report. They are equivariant to a
    permutation of the clients. What is carried from round to round is passed in and returned, so that
    an object holds its options alone.

    Attributes
    ----------
    uses_losses : bool
        Whether weights depend on the losses.
    """

    uses_losses: ClassVar[bool] = True

    def init(self, num_clients: int) -> FloatArray:
        """Return the state before the first round: one number for each client, where there is any."""
        return np.empty(0)

    def apply(
        self, state: FloatArray, gramian: FloatArray, losses: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the weights of one round and the state after it.

        Parameters
        ----------
        state : ndarray
            What `init` or the round before returned.
        gramian : ndarray of shape (m, m), float64
            Inner products of the updates ``g_i = theta - theta_i`` themselves, without any shift.
        losses : ndarray of shape (m,), float64
            Each client's mean loss on its own training data under the model that it received. A client
            without a finite loss gets no weight, and where it keeps a state, that stays.

        Returns
        -------
        weights : ndarray of shape (m,)
            Non-negative; the server's step is ``theta <- theta - sum_i weights_i g_i``. They sum to one
            unless the method chooses the step's length itself.
        state : ndarray

        Raises
        ------
        ValueError
            For shapes that do not fit, or where no loss is finite.
        """
        m = len(losses)
        if gramian.shape != (m, m):
            raise ValueError(f"gramian must be of shape ({m}, {m}) for {m} losses, got {gramian.shape}")
        counted = np.flatnonzero(np.isfinite(losses))
        if not len(counted):
            raise ValueError("losses must hold at least one finite number, got none")
        carried = state[counted] if state.size else state
        found, carried = self._weights(carried, gramian[np.ix_(counted, counted)], losses[counted])
        weights = np.zeros(m)
        weights[counted] = found
        if state.size:
            state = state.copy()
            state[counted] = carried
        return weights, state

    @abstractmethod
    def _weights(
        self, state: FloatArray, gramian: FloatArray, losses: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return weights and state for clients whose losses are all finite."""
