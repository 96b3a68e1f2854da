"""Server optimisers: what the server makes of the aggregated update before it takes its step.

Reddi et al., "Adaptive federated optimization" (ICLR 2021), Algorithm 2 (FedAdam); Hsu, Qi, Brown,
"Measuring the effects of non-identical data distribution for federated visual classification" (2019)
(FedAvgM). Both see only the robust update ``g_hat``, never a client's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray
from .checks import require

State = tuple[Sequence[FloatArray], ...]
"""What an optimiser carries from round to round: per quantity, one array for each of the model's."""


class ServerOptimizer(ABC):
    """Turns the aggregated update into the direction of the server's step.

    Optimisers are immutable; what they carry on is handed in and out.
    """

    @abstractmethod
    def direction(
        self, update: Sequence[FloatArray], state: State | None
    ) -> tuple[list[FloatArray], State]:
        """Return what to subtract, times the server's learning rate, and the state for the next round.

        Parameters
        ----------
        update : sequence of ndarray, float64
            ``g_hat``.
        state : State or None
            As returned from the round before; None in the first one.
        """


@dataclass(frozen=True)
class Momentum(ServerOptimizer):
    """FedAvgM: ``v <- beta v + g_hat``, direction ``v``.

    Parameters
    ----------
    beta : float, default 0.9
        At least 0 and below 1. In the long run the step is ``1 / (1 - beta)`` times as long as
        ``g_hat``: lower the server's learning rate accordingly.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    beta: float = 0.9

    def __post_init__(self) -> None:
        _check_decay("beta", self.beta)

    def direction(
        self, update: Sequence[FloatArray], state: State | None
    ) -> tuple[list[FloatArray], State]:
        """Return the decaying sum of all updates so far."""
        if state is None:
            return list(update), (update,)
        velocity = [self.beta * v + g for v, g in zip(state[0], update, strict=True)]
        return velocity, (velocity,)


@dataclass(frozen=True)
class Adam(ServerOptimizer):
    """FedAdam: direction ``m / (sqrt(v) + tau)`` with decaying means ``m`` of g and ``v`` of ``g^2``.

    ``m <- beta_1 m + (1 - beta_1) g`` and ``v <- beta_2 v + (1 - beta_2) g^2``, where g is ``g_hat``.
    The direction's length says nothing of ``g_hat``'s any more, so the server's learning rate is to be
    chosen anew; Flower's ``FedAdam`` starts from 0.1.

    Parameters
    ----------
    beta_1 : float, default 0.9
        Decay of the mean; at least 0 and below 1.
    beta_2 : float, default 0.99
        Decay of the mean square; at least 0 and below 1.
    tau : float, default 1e-3
        Degree of adaptivity, above 0; ``v`` starts at its square.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    beta_1: float = 0.9
    beta_2: float = 0.99
    tau: float = 1e-3

    def __post_init__(self) -> None:
        _check_decay("beta_1", self.beta_1)
        _check_decay("beta_2", self.beta_2)
        require(0 < self.tau < np.inf, "tau", "a number above 0", self.tau)

    def direction(
        self, update: Sequence[FloatArray], state: State | None
    ) -> tuple[list[FloatArray], State]:
        """Return the decaying mean of the updates over the root of their decaying mean square."""
        if state is None:
            state = (
                [np.zeros_like(g) for g in update],
                [np.full_like(g, self.tau**2) for g in update],
            )
        mean = [self.beta_1 * m + (1 - self.beta_1) * g for m, g in zip(state[0], update, strict=True)]
        square = [
            self.beta_2 * v + (1 - self.beta_2) * g**2 for v, g in zip(state[1], update, strict=True)
        ]
        steps = [m / (np.sqrt(v) + self.tau) for m, v in zip(mean, square, strict=True)]
        return steps, (mean, square)


def named_arrays(state: State | None) -> dict[str, FloatArray]:
    """Return an optimiser's state under names such as ``0.3``: quantity 0 of the model's array 3."""
    return {
        f"{quantity}.{k}": array
        for quantity, arrays in enumerate(state or ())
        for k, array in enumerate(arrays)
    }


def from_named_arrays(arrays: Mapping[str, FloatArray]) -> State | None:
    """Return the state that `named_arrays` took apart."""
    quantities: dict[int, dict[int, FloatArray]] = {}
    for name, array in arrays.items():
        quantity, k = (int(number) for number in name.split("."))
        quantities.setdefault(quantity, {})[k] = array
    return tuple([found[k] for k in sorted(found)] for _, found in sorted(quantities.items())) or None


def _check_decay(name: str, value: float) -> None:
    require(0 <= value < 1, name, "at least 0 and below 1", value)
