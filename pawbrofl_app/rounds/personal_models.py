"""Clients' personal models in checkpoints: fetched for one, and given back when a run is resumed.

A personal model is in the state that Flower keeps for its client, which ends with the run. The server
does nothing with one but to keep it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from logging import WARNING

from flwr.common import GetParametersIns, GetPropertiesIns
from flwr.common.logger import log
from flwr.server.client_proxy import ClientProxy

from .client_sampling import SeededClientManager
from .exchange import Exchange
from .messages import GET_PARAMETERS, GET_PROPERTIES, ask_clients

PersonalModelTensors = Mapping[int, list[bytes]]
"""The arrays of clients' personal models, serialized, by partition id."""


class PersonalModels:
    """Fetches personal models from clients and gives them back.

    Parameters
    ----------
    exchange : Exchange
    clients : SeededClientManager
    patience : float, optional
        Seconds that clients may take to answer; by default, as long as Flower lets them.
    """

    def __init__(
        self, exchange: Exchange, clients: SeededClientManager, patience: float | None = None
    ) -> None:
        self._exchange = exchange
        self._clients = clients
        self._patience = patience
        self._trained: set[str] = set()
        self._tensors: dict[int, list[bytes]] = {}

    def trained(self, nodes: Iterable[str]) -> None:
        """Learn which nodes have trained, and so have other personal models than before."""
        self._trained.update(nodes)

    def fetch(self) -> PersonalModelTensors:
        """Return all clients' personal models; only those that have trained since are asked again.

        A model that does not come is missing: the one before would not be the client's any more.
        """
        numbers = self._numbers()
        asked = [(client, GetParametersIns({})) for client in self._there(numbers, self._trained)]
        results, failures = ask_clients(self._exchange, GET_PARAMETERS, asked, self._patience)
        for client, _ in asked:
            self._tensors.pop(numbers[client.cid], None)
        for client, result in results:
            if result.parameters.tensors:
                self._tensors[numbers[client.cid]] = result.parameters.tensors
        for failure in failures:
            number = numbers[failure.client]
            log(WARNING, "no personal model of client %s for checkpoints: %s", number, failure.reason)
        self._trained.clear()
        return dict(self._tensors)

    def give_back(self, models: PersonalModelTensors) -> None:
        """Give clients the personal models that a checkpoint holds.

        Who is not there, or does not take it, begins anew with the model that it receives.
        """
        numbers = self._numbers()
        self._tensors = dict(models)
        told = []
        for client in self._there(numbers, numbers):
            if tensors := models.get(numbers[client.cid]):
                config = {str(k): tensor for k, tensor in enumerate(tensors)}
                told.append((client, GetPropertiesIns(dict(config))))
        results, _ = ask_clients(self._exchange, GET_PROPERTIES, told, self._patience)
        taken = {numbers[client.cid] for client, _ in results}
        if missing := sorted(set(models) - taken):
            names = ", ".join(map(str, missing))
            log(WARNING, "these clients were not given their personal models back: %s", names)
            for number in missing:
                del self._tensors[number]

    def _numbers(self) -> dict[str, int]:
        """Return the partition ids that single nodes report, by node id."""
        reported = self._clients.partition_ids()
        counts = Counter(reported.values())
        return {node: number for node, number in reported.items() if counts[number] == 1}

    def _there(self, numbers: Mapping[str, int], nodes: Iterable[str]) -> list[ClientProxy]:
        there = self._clients.all()
        found = sorted((numbers[node], node) for node in nodes if node in numbers and node in there)
        return [there[node] for _, node in found]
