"""Honest updates that attackers are searched on, and fresh ones that confirm what was found.

Synthetic ones are those of `experiments.estimators.scenarios`; ``digits-iid`` and ``digits-dirichlet``
(label skew 0.5) are updates of clients who train on digits, in the third round of honest training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from clients.model_arrays import arrays_of
from pawbrofl_app.client_app import honest_client
from pawbrofl_app.server_app import initial_model
from pawbrofl_app.settings.command_line import default_settings
from pawbrofl_app.settings.run_config import RunConfig
from strategies.arrays import FloatArray

from ..estimators.scenarios import NOISE, honest_updates
from ..grid.study import InvalidStudy

COORDINATES = 200
RECORDED = {"digits-iid": "iid", "digits-dirichlet": "dirichlet"}
"""Kinds of recorded honest updates, and the partition of the data that they are of."""
ROUNDS_BEFORE = 2


@dataclass(frozen=True)
class Draw:
    """One round of honest clients.

    Attributes
    ----------
    honest : ndarray of shape (n, d)
    root : ndarray of shape (d,)
        One more honest update: that of the server, if it has data of its own.
    """

    honest: FloatArray
    root: FloatArray

    @property
    def noise(self) -> float:
        """What the plain mean of the honest clients is expected to miss: the unit of all errors."""
        return math.sqrt(float(self.honest.var(axis=0).sum()) / len(self.honest))


@dataclass(frozen=True)
class Case:
    """A kind of honest clients, how many clients there are and how many of them attack."""

    kind: str
    clients: int
    epsilon: float

    @classmethod
    def parse(cls, text: str, kinds: Sequence[str] | None = None) -> Case:
        """Return the case that a text such as ``digits-iid/20/0.2`` names.

        Parameters
        ----------
        text : str
        kinds : sequence of str, optional
            That are allowed; by default those that have draws.

        Raises
        ------
        InvalidStudy
            Naming what is allowed.
        """
        kind, *numbers = text.split("/")
        try:
            clients, epsilon = int(numbers[0]), float(numbers[1])
        except (IndexError, ValueError):
            clients, epsilon = 0, 0.0
        kinds = kinds or (*(name.replace(" ", "-") for name in NOISE), *RECORDED)
        if kind not in kinds or clients < 5 or not 0 < epsilon < 0.5:
            raise InvalidStudy(
                "case must be KIND/CLIENTS/EPSILON, such as digits-iid/20/0.2, with a kind of "
                f"{', '.join(kinds)}, at least 5 clients and epsilon above 0 and below 0.5, got {text!r}"
            )
        return cls(kind, clients, epsilon)

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return f"{self.kind}/{self.clients}/{self.epsilon:g}"

    @property
    def num_attackers(self) -> int:
        """How many of the clients attack."""
        return round(self.epsilon * self.clients)

    def draw(self, number: int) -> Draw:
        """Return one round's honest clients, the same for the same number."""
        rows = _drawn(self.kind, self.clients + 1, number)
        return Draw(rows[self.num_attackers : -1].copy(), rows[-1].copy())


@lru_cache(maxsize=128)
def _drawn(kind: str, num_clients: int, number: int) -> FloatArray:
    if kind in RECORDED:
        return _recorded(RECORDED[kind], num_clients, number)
    names = {name.replace(" ", "-"): name for name in NOISE}
    random = np.random.default_rng([number, list(names).index(kind), num_clients])
    return honest_updates(names[kind], num_clients, COORDINATES, random)


def _recorded(partition: str, num_clients: int, seed: int) -> FloatArray:
    """Return the updates, (clients, d), of a round on digits after `ROUNDS_BEFORE` others."""
    settings = {"partition": partition, "dirichlet-alpha": 0.5, "num-clients": num_clients, "seed": seed}
    small = {"attack": "none", "network": "small-perceptron", "local-epochs": 1}
    config = RunConfig.parse(default_settings() | settings | small)
    clients = [honest_client(config, client) for client in range(num_clients)]
    model = arrays_of(initial_model(config))
    for server_round in range(1, ROUNDS_BEFORE + 2):
        trained = [client.honest_training(model, server_round)[0] for client in clients]
        before, model = model, [np.mean(arrays, axis=0) for arrays in zip(*trained, strict=True)]
    return np.stack(
        [np.concatenate([(a - b).ravel() for a, b in zip(before, own, strict=True)]) for own in trained]
    ).astype(np.float64)
