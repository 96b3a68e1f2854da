"""Sampling that a seed fixes, although node ids are drawn anew in every federation.

Clients are asked once for their partition id and put in its order before the draw. A client that lies
about it changes which honest clients are drawn, but gains no better chance for itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging import WARNING

import numpy as np
from flwr.common import GetPropertiesIns, GetPropertiesRes
from flwr.common.logger import log
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.criterion import Criterion

from strategies.flower_log import one_line

from .exchange import Exchange
from .messages import GET_PROPERTIES, ask_clients
from .nodes import Node

CLIENT_ID_KEY = "partition_id"
SORTS_LAST = 2**63
SECONDS_BETWEEN_LOOKS = 0.5
ONE_DAY = 86_400
_EVALUATION = 1
"""Last word of the seed of draws for evaluation: they are not those for training."""


class SeededClientManager(ClientManager):
    """The nodes that are there, and a reproducible draw from them.

    Parameters
    ----------
    exchange : Exchange
    seed : int
        Fixes all draws, together with how many there were before.
    patience : float, optional
        Seconds that a client may take to say its partition id; by default, as long as Flower lets it.
    """

    def __init__(self, exchange: Exchange, seed: int, patience: float | None = None) -> None:
        self.seed = seed
        self.patience = patience
        self.num_draws = 0
        self._exchange = exchange
        self._nodes: dict[str, ClientProxy] = {}
        self._partition_ids: dict[str, int] = {}
        self._evaluated_round: int | None = None

    def all(self) -> dict[str, ClientProxy]:
        """Return all nodes that are there now, by their ids."""
        there = {str(node_id): node_id for node_id in self._exchange.node_ids()}
        self._nodes = {cid: self._nodes.get(cid) or Node(node_id) for cid, node_id in there.items()}
        return dict(self._nodes)

    def num_available(self) -> int:
        """Return how many nodes are there now."""
        return len(self.all())

    def wait_for(self, num_clients: int, timeout: float = ONE_DAY) -> bool:
        """Wait until so many nodes are there, and return whether they are."""
        end = time.monotonic() + timeout
        while self.num_available() < num_clients:
            if time.monotonic() >= end:
                return False
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return True

    def register(self, client: ClientProxy) -> bool:
        """Return False: nodes register with the SuperLink."""
        return False

    def unregister(self, client: ClientProxy) -> None:
        """Do nothing: nodes leave the SuperLink."""

    @contextmanager
    def evaluating(self, server_round: int) -> Iterator[None]:
        """Draw, meanwhile, by the round alone, and without waiting for anybody.

        So who evaluates has no part in who trains, and a resumed run draws the same.
        """
        self._evaluated_round = server_round
        try:
            yield
        finally:
            self._evaluated_round = None

    def sample(
        self,
        num_clients: int,
        min_num_clients: int | None = None,
        criterion: Criterion | None = None,
    ) -> list[ClientProxy]:
        """Wait for enough clients and draw some of them without replacement."""
        if self._evaluated_round is None:
            self.wait_for(num_clients if min_num_clients is None else min_num_clients)
        clients = [
            client for client in self.all().values() if criterion is None or criterion.select(client)
        ]
        if num_clients >= len(clients):
            return clients
        self._ask_for_partition_ids(clients)
        clients.sort(key=lambda client: (self._partition_ids[client.cid], client.cid))
        chosen = self._next_draw().choice(len(clients), size=num_clients, replace=False)
        return [clients[index] for index in sorted(chosen)]

    def partition_ids(self) -> dict[str, int]:
        """Ask all nodes that are there; return the partition ids that they report, by node id."""
        clients = list(self.all().values())
        self._ask_for_partition_ids(clients)
        reported = {client.cid: self._partition_ids[client.cid] for client in clients}
        return {node: number for node, number in reported.items() if number != SORTS_LAST}

    def _next_draw(self) -> np.random.Generator:
        if self._evaluated_round is not None:
            return np.random.default_rng([self.seed, self._evaluated_round, _EVALUATION])
        self.num_draws += 1
        return np.random.default_rng([self.seed, self.num_draws - 1])

    def _ask_for_partition_ids(self, clients: Sequence[ClientProxy]) -> None:
        unknown = [client for client in clients if client.cid not in self._partition_ids]
        nothing_in_particular = GetPropertiesIns({})
        instructions = [(client, nothing_in_particular) for client in unknown]
        results, failures = ask_clients(self._exchange, GET_PROPERTIES, instructions, self.patience)
        for client, result in results:
            self._partition_ids[client.cid] = _partition_id(client, result)
        for failure in failures:
            _warn(failure.client, failure.reason)
            self._partition_ids[failure.client] = SORTS_LAST


def _partition_id(client: ClientProxy, result: GetPropertiesRes) -> int:
    try:
        return int(result.properties[CLIENT_ID_KEY])
    except Exception as problem:  # noqa: BLE001  what a hostile answer raises is not foreseeable
        _warn(client.cid, str(problem))
        return SORTS_LAST


def _warn(client: str, reason: str) -> None:
    log(WARNING, "client %s does not say its partition id: %s", client, one_line(reason))
