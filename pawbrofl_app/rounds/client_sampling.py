"""Sampling that a seed fixes, although node ids are drawn anew in every federation.

Clients are asked once for their own number and put in its order before the draw. A client that lies
about its number changes which honest clients are drawn, but gains no better chance for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from logging import WARNING

import numpy as np
from flwr.common import GetPropertiesIns
from flwr.common.logger import log
from flwr.server.client_manager import SimpleClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.criterion import Criterion

from .client_failures import one_line

CLIENT_ID_KEY = "partition_id"
ASKED_AT_ONCE = 16
SORTS_LAST = 2**63
_EVALUATION = 1
"""Last word of the seed of draws for evaluation: they are not those for training."""


class SeededClientManager(SimpleClientManager):
    """Flower's client manager with a reproducible draw.

    Parameters
    ----------
    seed : int
        Fixes all draws, together with how many there were before.
    patience : float, optional
        How many seconds a client may take to say its number; by default, as long as Flower lets it.
    """

    def __init__(self, seed: int, patience: float | None = None) -> None:
        super().__init__()
        self.seed = seed
        self.patience = patience
        self.num_draws = 0
        self._numbers: dict[str, int] = {}
        self._evaluated_round: int | None = None

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
            client
            for client in list(self.clients.values())
            if criterion is None or criterion.select(client)
        ]
        if num_clients >= len(clients):
            return clients
        self._ask_for_numbers(clients)
        clients.sort(key=lambda client: (self._numbers[client.cid], client.cid))
        chosen = self._next_draw().choice(len(clients), size=num_clients, replace=False)
        return [clients[index] for index in sorted(chosen)]

    def _next_draw(self) -> np.random.Generator:
        if self._evaluated_round is not None:
            return np.random.default_rng([self.seed, self._evaluated_round, _EVALUATION])
        self.num_draws += 1
        return np.random.default_rng([self.seed, self.num_draws - 1])

    def _ask_for_numbers(self, clients: list[ClientProxy]) -> None:
        unknown = [client for client in clients if client.cid not in self._numbers]
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            for client, number in zip(unknown, pool.map(self._own_number, unknown), strict=True):
                self._numbers[client.cid] = number

    def _own_number(self, client: ClientProxy) -> int:
        try:
            answer = client.get_properties(GetPropertiesIns({}), timeout=self.patience, group_id=None)
            return int(answer.properties[CLIENT_ID_KEY])
        except Exception as problem:  # noqa: BLE001  what a hostile answer raises is not foreseeable
            log(WARNING, "client %s does not say its number: %s", client.cid, one_line(str(problem)))
            return SORTS_LAST
