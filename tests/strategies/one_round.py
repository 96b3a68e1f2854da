"""One round of training through either of Flower's APIs, with clients that are only their replies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Error,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.common import Code, FitRes, Parameters, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.server.client_manager import SimpleClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.serverapp import Grid
from numpy.typing import NDArray

import strategies.message
from strategies import PAwBRoFL
from strategies.diagnostics import RoundDiagnostics

try:
    from flwr.supercore.task_identity import TaskIdentity
except ModuleNotFoundError:  # An earlier Flower's messages name no run.
    pass
else:
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1

Model = list[NDArray[Any]]
NUM_EXAMPLES = 10


@dataclass
class Reply:
    """What a client sends: a model, or the bytes that it passes off as one."""

    node: int
    model: Model | list[bytes]
    metrics: dict[str, Any] = field(default_factory=dict)
    num_examples: Any = NUM_EXAMPLES


Train = Callable[[int, Model], Reply]
"""What a node sends back, by its id and the model that it is sent."""


class NamedProxy(ClientProxy):
    """A client that is only a name."""

    get_properties = get_parameters = fit = evaluate = reconnect = None  # type: ignore[assignment]


class NodesOnly:
    """A grid that knows its nodes, but delivers nothing."""

    def __init__(self, nodes: Sequence[int]) -> None:
        self.nodes = nodes

    def get_node_ids(self) -> list[int]:
        return list(self.nodes)


class AggregateFit:
    """Rounds through ``aggregate_fit``."""

    def __init__(self, strategy: Any = None, **options: Any) -> None:
        self.rounds: list[RoundDiagnostics] = []
        self.strategy = strategy or PAwBRoFL(
            min_available_clients=1, min_fit_clients=1, on_round=self.rounds.append, **options
        )

    def run(
        self, start: Model, replies: Sequence[Reply], server_round: int = 1, silent: Sequence[int] = ()
    ) -> Model | None:
        """Return the next global model, or None where the present one is kept."""
        self.num_asked(start, [*(reply.node for reply in replies), *silent], server_round)
        results = [(NamedProxy(str(reply.node)), self.result(reply)) for reply in replies]
        parameters, self.metrics = self.strategy.aggregate_fit(server_round, results, [])
        return None if parameters is None else parameters_to_ndarrays(parameters)

    def play(self, start: Model, nodes: Sequence[int], train: Train, server_round: int) -> Model | None:
        """Return the next global model, where nodes answer what they are sent."""
        asked = self.strategy.configure_fit(
            server_round, ndarrays_to_parameters(start), self.manager(nodes)
        )
        results = [
            (proxy, self.result(train(int(proxy.cid), parameters_to_ndarrays(fit.parameters))))
            for proxy, fit in asked
        ]
        parameters, self.metrics = self.strategy.aggregate_fit(server_round, results, [])
        return None if parameters is None else parameters_to_ndarrays(parameters)

    def evaluated(self, start: Model, nodes: Sequence[int]) -> dict[int, Model]:
        """Return the model that each node is to evaluate."""
        asked = self.strategy.configure_evaluate(1, ndarrays_to_parameters(start), self.manager(nodes))
        return {int(proxy.cid): parameters_to_ndarrays(each.parameters) for proxy, each in asked}

    def branch_models(self) -> dict[int, Model]:
        """Return the branches' models."""
        branches = self.strategy.branch_models()
        return {number: parameters_to_ndarrays(model) for number, model in branches.items()}

    def num_asked(self, start: Model, nodes: Sequence[int], server_round: int = 1) -> int:
        """Return how many of the nodes the strategy sends the model to."""
        parameters = ndarrays_to_parameters(start)
        return len(self.strategy.configure_fit(server_round, parameters, self.manager(nodes)))

    @staticmethod
    def manager(nodes: Sequence[int]) -> SimpleClientManager:
        manager = SimpleClientManager()
        for node in nodes:
            manager.register(NamedProxy(str(node)))
        return manager

    @staticmethod
    def result(reply: Reply) -> FitRes:
        if all(isinstance(array, bytes) for array in reply.model):
            parameters = Parameters(cast(list[bytes], reply.model), "numpy.ndarray")
        else:
            parameters = ndarrays_to_parameters(cast(Model, reply.model))
        return FitRes(Status(Code.OK, ""), parameters, reply.num_examples, reply.metrics)


class AggregateTrain:
    """Rounds through ``aggregate_train``; arrays are named a0, a1, ... unless names are given."""

    def __init__(self, strategy: Any = None, names: Sequence[str] | None = None, **options: Any) -> None:
        self.rounds: list[RoundDiagnostics] = []
        self.names = names
        self.strategy = strategy or strategies.message.PAwBRoFL(
            min_available_nodes=1, min_train_nodes=1, on_round=self.rounds.append, **options
        )

    def run(
        self, start: Model, replies: Sequence[Reply], server_round: int = 1, silent: Sequence[int] = ()
    ) -> Model | None:
        """Return the next global model, or None where the present one is kept."""
        contents: dict[int, RecordDict | Error] = {node: Error(1, "silent") for node in silent}
        contents |= {reply.node: self.content(reply) for reply in replies}
        arrays, self.metrics = self.answer(start, contents, server_round)
        if arrays is None:
            return None
        assert list(arrays) == list(self.record(start))
        return cast(Model, arrays.to_numpy_ndarrays())

    def play(self, start: Model, nodes: Sequence[int], train: Train, server_round: int) -> Model | None:
        """Return the next global model, where nodes answer what they are sent."""
        answers = [
            Message(self.content(train(node, self.model_in(message))), reply_to=message)
            for node, message in self.messages(start, nodes, server_round).items()
        ]
        arrays, self.metrics = self.strategy.aggregate_train(server_round, answers)
        return None if arrays is None else cast(Model, arrays.to_numpy_ndarrays())

    def evaluated(self, start: Model, nodes: Sequence[int]) -> dict[int, Model]:
        """Return the model that each node is to evaluate."""
        grid = cast(Grid, NodesOnly(nodes))
        asked = self.strategy.configure_evaluate(1, self.record(start), ConfigRecord(), grid)
        return {message.metadata.dst_node_id: self.model_in(message) for message in asked}

    def branch_models(self) -> dict[int, Model]:
        """Return the branches' models."""
        branches = self.strategy.branch_models()
        return {number: arrays.to_numpy_ndarrays() for number, arrays in branches.items()}

    @staticmethod
    def model_in(message: Message) -> Model:
        return cast(Model, message.content["arrays"].to_numpy_ndarrays())  # type: ignore[union-attr]

    def answer(
        self, start: Model, contents: Mapping[int, RecordDict | Error], server_round: int = 1
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return what the strategy makes of what each node answers."""
        asked = self.messages(start, list(contents), server_round)
        answers = [Message(content, reply_to=asked[node]) for node, content in contents.items()]
        return cast(
            tuple[ArrayRecord | None, MetricRecord | None],
            self.strategy.aggregate_train(server_round, answers),
        )

    def messages(self, start: Model, nodes: Sequence[int], server_round: int = 1) -> dict[int, Message]:
        """Return what the strategy sends to each node."""
        grid = cast(Grid, NodesOnly(nodes))
        sent = self.strategy.configure_train(server_round, self.record(start), ConfigRecord(), grid)
        return {message.metadata.dst_node_id: message for message in sent}

    def record(self, model: Model | list[bytes]) -> ArrayRecord:
        names = self.names or [f"a{k}" for k in range(len(model))]
        return ArrayRecord(
            {
                name: Array("any", (), "numpy.ndarray", array)
                if isinstance(array, bytes)
                else Array(np.asarray(array))
                for name, array in zip(names, model, strict=False)
            }
        )

    def content(self, reply: Reply) -> RecordDict:
        metrics = MetricRecord({"num-examples": reply.num_examples, **reply.metrics})
        return RecordDict({"arrays": self.record(reply.model), "metrics": metrics})


BOTH_APIS: tuple[Any, ...] = (AggregateFit, AggregateTrain)
EACH_API = (AggregateFit, pytest.param(AggregateTrain, marks=pytest.mark.slow))
"""To play many rounds through: quick tests say that both give the same bits."""
