"""What hostile replies do to a round: of PAwBRoFL, and of Flower's FedAvg and Krum.

Ten clients train for one round; two of them (unless the kind says otherwise) reply as described in
`hostile_kinds`. Replies pass through Flower's own conversions, and through its server or this project's
loop, as they do in a run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Message
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import NDArrays, Parameters, Scalar, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.server import Server
from flwr.server.client_manager import SimpleClientManager
from flwr.server.compat.grid_client_proxy import GridClientProxy
from flwr.server.strategy import FedAvg, Krum

from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.rounds.client_failures import ClientFailure
from pawbrofl_app.rounds.client_sampling import SeededClientManager
from pawbrofl_app.rounds.exchange import Exchange
from pawbrofl_app.rounds.round_policy import RoundPolicy
from pawbrofl_app.rounds.training_loop import TooFewReplies, TrainingLoop
from strategies import PAwBRoFL
from strategies.diagnostics import RoundDiagnostics
from strategies.epsilon import max_malicious

from .hostile_kinds import KINDS, START, Kind
from .page import Page

NUM_CLIENTS = 10
EPSILON = 0.2
SECONDS_OF_A_ROUND = 0.5
FINE, KEPT, REPEATED, RUINED, NOT_FINITE = (
    "fine",
    "model kept",
    "round repeated, then the run ends",
    "ruined",
    "not finite",
)


class HonestClient(NumPyClient):
    """Sends the received model plus one, and a little noise."""

    def __init__(self, number: int) -> None:
        self.number = number

    def fit(
        self, parameters: NDArrays, config: dict[str, Scalar]
    ) -> tuple[NDArrays, int, dict[str, Scalar]]:
        """Return the trained model."""
        noise = np.random.default_rng(self.number)
        trained = [
            (array + 1 + 0.1 * noise.normal(size=array.shape)).astype(array.dtype)
            for array in parameters
        ]
        return trained, 100, {"loss_gap": 0.5, "partition_id": self.number}


class HostileGrid(InProcessGrid):
    """Delivers messages, and has some clients' replies replaced."""

    def __init__(self, kind: Kind) -> None:
        app = ClientApp(
            lambda context: HonestClient(int(context.node_config["partition-id"])).to_client()
        )
        super().__init__(app, {}, NUM_CLIENTS)
        self._kind = kind

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the next reply, or what a hostile client sends in its place."""
        ids = list(message_ids)
        while honest := list(super().pull_messages(ids)):
            (reply,) = honest
            hostile = reply.metadata.src_node_id - 1 in self._kind.clients
            if replies := self._kind.replies(reply) if hostile else honest:
                return replies
        return []


class _InTheClientsOrder:
    """Has a strategy of Flower's aggregate replies in the order of the clients."""

    def aggregate_fit(self, server_round: int, results: Any, failures: Any) -> Any:
        results.sort(key=lambda reply: int(reply[0].cid))
        return super().aggregate_fit(server_round, results, failures)  # type: ignore[misc]


@dataclass(frozen=True)
class Outcome:
    """What a round came to, and what was said of the first hostile client."""

    result: str
    said: str = ""


def with_pawbrofl(kind: Kind) -> Outcome:
    """Return what becomes of a round with this project's loop and strategy."""
    said: dict[str, str] = {}

    def note_round(diagnostics: RoundDiagnostics) -> None:
        for client in diagnostics.clients:
            said[client.client] = client.reason or f"counts, with weight {client.weight:.2f}"

    def note_failures(_: int, failures: Sequence[ClientFailure]) -> None:
        for failure in failures:
            begins = "unreadable reply: " if failure.replied else "no reply: "
            said[str(int(failure.client) - 1)] = begins + failure.reason

    exchange = Exchange(HostileGrid(kind))
    loop = TrainingLoop(
        exchange=exchange,
        clients=SeededClientManager(exchange, 1),
        strategy=PAwBRoFL(
            epsilon=EPSILON,
            on_round=note_round,
            initial_parameters=ndarrays_to_parameters(START),
            fraction_evaluate=0.0,
        ),
        policy=RoundPolicy(NUM_CLIENTS, 0, 1, 1, round_timeout=SECONDS_OF_A_ROUND),
        on_failures=note_failures,
    )
    result = _result(lambda: loop.run(1))
    return Outcome(result, said.get(str(kind.clients[0]), "names another, or is named in the log only"))


def with_flower(kind: Kind, strategy: type[FedAvg]) -> Outcome:
    """Return what becomes of a round with Flower's server and one of its strategies."""
    manager = SimpleClientManager()
    known = {"num_malicious_clients": max_malicious(EPSILON, NUM_CLIENTS)} if strategy is Krum else {}
    # What FedAvg makes of some replies depends on which of them came first, in a run by chance.
    ordered: Any = type(strategy.__name__, (_InTheClientsOrder, strategy), {})
    made = ordered(initial_parameters=ndarrays_to_parameters(START), fraction_evaluate=0.0, **known)
    server = Server(client_manager=manager, strategy=made)
    # One thread, as the grid has one client answer at a time.
    server.set_max_workers(1)
    grid = HostileGrid(kind)
    for node in grid.get_node_ids():
        manager.register(GridClientProxy(node, grid, grid.run.run_id))

    def train() -> Parameters:
        server.fit(num_rounds=1, timeout=None)
        return server.parameters

    return Outcome(_result(train))


def _result(train: Callable[[], Parameters]) -> str:
    try:
        with np.errstate(all="ignore"):
            return _judge(parameters_to_ndarrays(train()))
    except TooFewReplies:
        return REPEATED
    except Exception as problem:  # noqa: BLE001  what others crash with is what the table tells
        return f"crash ({type(problem).__name__})"


def _judge(model: NDArrays) -> str:
    if [array.shape for array in model] != [array.shape for array in START]:
        return RUINED
    if not all(np.isfinite(array).all() for array in model):
        return NOT_FINITE
    steps = np.concatenate([(a - b).ravel() for a, b in zip(model, START, strict=True)])
    if not steps.any():
        return KEPT
    return FINE if np.abs(steps - 1).max() < 0.5 else RUINED


def table() -> str:
    """Return the table in Markdown, and behind it how often each strategy failed."""
    rows = [
        (kind, with_pawbrofl(kind), with_flower(kind, FedAvg), with_flower(kind, Krum)) for kind in KINDS
    ]
    lines = [
        "| two of ten clients send | PAwBRoFL | and says of them | FedAvg | Krum |",
        "|---|---|---|---|---|",
    ]
    for kind, ours, *theirs in rows:
        cells = [kind.name, ours.result, ours.said, *(outcome.result for outcome in theirs)]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    lines.append(f"\nOf {len(KINDS)} kinds:\n")
    for k, name in enumerate(("PAwBRoFL", "FedAvg", "Krum"), start=1):
        results = [row[k].result for row in rows]  # type: ignore[union-attr]
        crashes = sum(result.startswith("crash") for result in results)
        lines.append(
            f"- {name}: {crashes} crashes, {results.count(NOT_FINITE)} models that are not finite, "
            f"{results.count(RUINED)} that are ruined"
        )
    return "\n".join(lines) + "\n"


def quiet_table() -> str:
    """Return the table without what Flower logs meanwhile."""
    logging.getLogger("flwr").setLevel(logging.CRITICAL + 1)
    return table()


PAGE = Page("reliability.md", lambda _: {"hostile replies": quiet_table()}, measured=True)
