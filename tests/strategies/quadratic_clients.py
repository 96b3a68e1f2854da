"""Twenty clients of quadratic losses, who train what they are sent, through either of Flower's APIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from strategies.arrays import FloatArray
from strategies.diagnostics import RoundDiagnostics

from .one_round import Model, Reply

CLIENTS = list(range(20))
MINORITY = [0, 1, 2, 3]
ATTACKERS = [4, 5, 6]
NODES = {client: 100 + client for client in CLIENTS}
START: Model = [np.zeros((10, 5)), np.zeros(10)]

Tamper = Callable[[int, int, Reply], None]
"""Changes a client's reply, by round and client."""


def nothing(server_round: int, client: int, reply: Reply) -> None:
    """Change nothing."""


def optima(*apart: list[int]) -> FloatArray:
    """Return what each client would reach; each group's is apart from the others' one."""
    found = np.zeros((20, 60))
    found[:, 0] = 1.0
    for axis, group in enumerate(apart, 1):
        found[group, axis] = 3.0
    return found


def flat(model: Model) -> FloatArray:
    return np.concatenate([array.reshape(-1) for array in model])


def whole(vector: FloatArray) -> Model:
    return [vector[:50].reshape(10, 5), vector[50:]]


@dataclass
class Federation:
    """Clients and a strategy.

    Parameters
    ----------
    way : AggregateFit or AggregateTrain
    optima : ndarray of shape (20, 60)
    node_of : mapping of int to int
        Each client's node id.
    """

    way: Any
    optima: FloatArray
    node_of: Mapping[int, int] = field(default_factory=lambda: NODES)
    model: Model = field(default_factory=lambda: list(START))
    received: dict[int, Model] = field(default_factory=dict)

    def run(self, *rounds: int, tamper: Tamper = nothing, clients: list[int] = CLIENTS) -> Federation:
        """Play these rounds."""
        client_of = {self.node_of[client]: client for client in clients}
        for server_round in rounds:

            def train(node: int, received: Model, server_round: int = server_round) -> Reply:
                client = client_of[node]
                self.received[client] = received
                offset = flat(received) - self.optima[client]
                noise = np.random.default_rng([server_round, client]).normal(size=60)
                loss, left = float(offset @ offset), 0.7 * offset
                metrics = {
                    "partition_id": client,
                    "loss_before": loss,
                    "loss_gap": loss - float(left @ left),
                }
                trained = whole(flat(received) - 0.3 * offset - 0.05 * noise)
                reply = Reply(node, trained, metrics)
                tamper(server_round, client, reply)
                return reply

            following = self.way.play(self.model, list(client_of), train, server_round)
            self.model = self.model if following is None else following
        return self

    @property
    def rounds(self) -> list[RoundDiagnostics]:
        found: list[RoundDiagnostics] = self.way.rounds
        return found

    def home(self) -> dict[int, int]:
        """Return the branch of each client that has one."""
        nodes = [str(self.node_of[client]) for client in CLIENTS]
        homes = self.way.strategy.models_to_evaluate(nodes)
        return {client: home for client, home in zip(CLIENTS, homes, strict=True) if home}


class Checkpoint:
    """What is kept of a federation after a round."""

    def __init__(self, played: Federation) -> None:
        self.optima = played.optima.copy()
        self.model: Model = [array.copy() for array in played.model]
        self.state = {name: array.copy() for name, array in played.way.strategy.state().items()}

    def resumed(
        self, api: Any, options: Mapping[str, Any], node_of: Mapping[int, int] = NODES
    ) -> Federation:
        """Return a new federation, with a new strategy, that goes on from here."""
        assert not any(array.dtype.hasobject for array in self.state.values())
        new = Federation(api(**options), self.optima.copy(), node_of, self.model)
        new.way.strategy.restore({name: array.copy() for name, array in self.state.items()})
        return new
