"""What nodes call themselves. Their ids are drawn anew in every federation, a client's number is not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from logging import WARNING

from flwr.common import FitRes
from flwr.common.logger import log
from flwr.server.client_proxy import ClientProxy
from flwr.serverapp import Grid
from flwr.superlink.grid import InMemoryGrid

from strategies.vouching import Vouching

from ..settings.run_config import RunConfig
from ..settings.setting import invalid
from .client_failures import ClientFailure
from .client_sampling import CLIENT_ID_KEY


class ClientNames:
    """The numbers in nodes' last replies, which are their names.

    A node goes by its id where it has named no number, or one that another node has named as well at
    some time: a failure is put on nobody who may have no part in it.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._claimants: defaultdict[str, set[str]] = defaultdict(set)

    def learn(self, results: Sequence[tuple[ClientProxy, FitRes]]) -> None:
        """Take over the numbers in a round's replies, and log which of them several nodes claim."""
        claims: dict[int, list[str]] = {}
        for client, result in results:
            number = result.metrics.get(CLIENT_ID_KEY)
            if isinstance(number, int) and not isinstance(number, bool):
                self._names[client.cid] = str(number)
                self._claimants[str(number)].add(client.cid)
                claims.setdefault(number, []).append(client.cid)
        for number, nodes in claims.items():
            if len(nodes) > 1:
                log(WARNING, "nodes %s all call themselves client %s", ", ".join(nodes), number)

    def of(self, node: str) -> str:
        """Return the name of a node."""
        name = self._names.get(node, node)
        return name if len(self._claimants[name]) == 1 else node

    def described(self, failure: ClientFailure) -> str:
        """Return in words who failed, and why."""
        name = self.of(failure.client)
        who = f"client {name}" if name == failure.client else f"client {name} (node {failure.client})"
        return f"{who}: {failure.reason}"


def is_simulation(grid: Grid) -> bool:
    """Return whether this machine made a grid's nodes, and gave them their partition ids."""
    return isinstance(grid, InMemoryGrid) or getattr(grid, "is_simulation", False)


def vouching_in(config: RunConfig, grid: Grid) -> Vouching:
    """Return whom the settings vouch for, under names that can be relied on.

    In a simulation those are partition ids, as long as one node alone reports each; where clients are
    SuperNodes, which report what they like, the node ids that the SuperLink knows them by.

    Raises
    ------
    InvalidSetting
        For names that are not such.
    """
    names, num_clients = config.vouched_clients, config.federation.num_clients
    simulated = is_simulation(grid)
    for name in names:
        if simulated and int(name) >= num_clients:
            allowed = f"partition ids below num-clients {num_clients} in a simulation"
            raise invalid("vouched", allowed, name)
        if not simulated and int(name) < num_clients:
            allowed = (
                "node ids where clients are SuperNodes, as `flwr supernode list` shows them (they last "
                "where SuperNodes are registered with a key): anybody can claim a partition id"
            )
            raise invalid("vouched", allowed, name)
    return Vouching(names, by_partition_id=simulated)
