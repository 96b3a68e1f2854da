"""Clients that evaluate the global model: honest ones, and replies that are anything but."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Error, Message, MetricRecord, RecordDict
from flwr.app.message import make_message
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Code, EvaluateRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.common.constant import ErrorCode
from flwr.server.strategy import FedAvg

from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.records.layout import ClientEvaluation
from pawbrofl_app.rounds.client_evaluations import read_evaluations
from pawbrofl_app.rounds.client_failures import ClientFailure
from pawbrofl_app.rounds.client_sampling import SeededClientManager
from pawbrofl_app.rounds.exchange import Exchange
from pawbrofl_app.rounds.nodes import Node
from pawbrofl_app.rounds.round_policy import RoundPolicy
from pawbrofl_app.rounds.training_loop import TrainingLoop
from strategies import Mean, PAwBRoFL

NUM_CLIENTS = 8
HOSTILE: dict[int, tuple[Any, Any, dict[str, Any]]] = {
    1: (math.nan, 10, {"accuracy": 0.5, "partition_id": 1}),
    2: (0.5, 10, {"partition_id": 2}),
    3: (0.5, 10, {"accuracy": 7.0, "partition_id": 3}),
    4: (0.5, 0, {"accuracy": 0.5}),
    5: (math.inf, 10, {"accuracy": "good", "partition_id": "five"}),
}


class Client(NumPyClient):
    """Trains by adding its number, and evaluates as it is told."""

    def __init__(self, number: int, evaluated: Callable[[int], Any]) -> None:
        self.number = number
        self.evaluated = evaluated

    def fit(self, parameters: Any, config: Any) -> Any:
        return [array + self.number for array in parameters], 10, {"partition_id": self.number}

    def evaluate(self, parameters: Any, config: Any) -> Any:
        return self.evaluated(self.number)

    def get_properties(self, config: Any) -> Any:
        return {"partition_id": self.number}


class SilentAtEvaluation(InProcessGrid):
    """Delivers all messages, but of evaluations node 7's is lost and node 8's reply is nonsense."""

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        (reply,) = super().pull_messages(message_ids)
        if reply.metadata.message_type == "evaluate":
            if reply.metadata.src_node_id == 7:
                return [make_message(reply.metadata, error=Error(ErrorCode.NODE_UNAVAILABLE, "gone"))]
            if reply.metadata.src_node_id == 8:
                reply.content = RecordDict({"x": MetricRecord({"y": 1}), "z": ConfigRecord({"w": "v"})})
        return [reply]


def honest(number: int) -> Any:
    return 0.1 * number, 10, {"accuracy": 0.5, "partition_id": number}


def hostile(number: int) -> Any:
    return HOSTILE.get(number, honest(number))


def train(
    evaluated: Callable[[int], Any] = honest,
    fraction_evaluate: float = 1.0,
    grid: type[InProcessGrid] = InProcessGrid,
    strategy: Callable[..., FedAvg] = lambda **options: PAwBRoFL(weighting=Mean(), **options),
) -> tuple[dict[int, list[ClientEvaluation]], list[Any]]:
    """Run two rounds in which half of the clients train; return evaluations by round, and the model."""
    told: dict[int, list[ClientEvaluation]] = {}
    app = ClientApp(
        lambda context: Client(int(context.node_config["partition-id"]), evaluated).to_client()
    )
    exchange = Exchange(grid(app, {}, NUM_CLIENTS))
    loop = TrainingLoop(
        exchange=exchange,
        clients=SeededClientManager(exchange, 1),
        strategy=strategy(
            fraction_fit=0.5,
            fraction_evaluate=fraction_evaluate,
            min_evaluate_clients=1,
            min_fit_clients=1,
            min_available_clients=4,
            initial_parameters=ndarrays_to_parameters([np.zeros(4, np.float32)]),
        ),
        policy=RoundPolicy(NUM_CLIENTS, 0, 2, 1),
        on_evaluations=lambda server_round, evaluations, _: told.update({server_round: [*evaluations]}),
    )
    return told, parameters_to_ndarrays(loop.run(2))


def test_every_client_evaluates_after_every_round() -> None:
    told, _ = train()
    expected = [ClientEvaluation(str(k), pytest.approx(0.1 * k), 0.5, 10) for k in range(NUM_CLIENTS)]
    assert told == {1: expected, 2: expected}


def test_nobody_is_asked_by_default() -> None:
    assert train(fraction_evaluate=0.0)[0] == {}


def test_a_share_of_the_clients_evaluates_and_the_draw_repeats() -> None:
    told, _ = train(fraction_evaluate=0.5)
    assert [len(evaluations) for evaluations in told.values()] == [4, 4]
    assert told == train(fraction_evaluate=0.5)[0]


@pytest.mark.parametrize("evaluated", [honest, hostile])
@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_the_model_is_the_same_whoever_evaluates_and_whatever_is_said(
    evaluated: Callable[[int], Any], fraction: float
) -> None:
    _, undisturbed = train(fraction_evaluate=0.0)
    _, model = train(evaluated, fraction)
    np.testing.assert_array_equal(model[0], undisturbed[0])


@pytest.mark.parametrize("strategy", [FedAvg, PAwBRoFL])
def test_hostile_replies_are_left_out_each_with_its_reason(strategy: Callable[..., FedAvg]) -> None:
    told, _ = train(hostile, grid=SilentAtEvaluation, strategy=strategy)
    assert [(one.client, one.left_out) for one in told[2] if one.client in "0123"] == [
        ("0", ""),
        ("1", "the loss is no finite number of at least 0"),
        ("2", "the metric accuracy is no number from 0 to 1"),
        ("3", "the metric accuracy is no number from 0 to 1"),
    ]
    reasons = sorted(one.left_out for one in told[2] if one.client not in "0123")
    assert reasons[0] == reasons[1] == "no metric partition_id says which client it is"
    assert reasons[2] == "no reply: gone"
    assert reasons[3].startswith("unreadable reply: ")


def proxies(metrics: list[dict[str, Any]]) -> list[tuple[Node, EvaluateRes]]:
    return [
        (Node(100 + k), EvaluateRes(Status(Code.OK, ""), 0.5, 10, one)) for k, one in enumerate(metrics)
    ]


def test_a_number_that_several_nodes_claim_is_nobody_s() -> None:
    metrics = [{"accuracy": 0.5, "partition_id": number} for number in (0, 1, 1)]
    read = read_evaluations(proxies(metrics), [])
    assert [one.left_out for one in read] == [""] + ["2 nodes call themselves client 1"] * 2
    assert all(math.isnan(one.accuracy) for one in read[1:])


def test_the_order_in_which_replies_arrive_does_not_matter() -> None:
    metrics = [{"accuracy": k / 20, "partition_id": k % 15} for k in range(20)]
    results, failures = proxies(metrics), [ClientFailure("30", "gone"), ClientFailure("2", "late")]
    expected = repr(read_evaluations(results, failures))
    shuffled = random.Random(0)
    for _ in range(5):
        shuffled.shuffle(results)
        shuffled.shuffle(failures)
        assert repr(read_evaluations(results, failures)) == expected


@pytest.mark.parametrize("value", [True, "0.5", -0.1, 1.5, 10**400, None, math.inf])
def test_an_accuracy_that_is_none_is_left_out(value: Any) -> None:
    metrics = {"accuracy": value, "partition_id": 0}
    (one,) = read_evaluations(proxies([{k: v for k, v in metrics.items() if v is not None}]), [])
    assert one.left_out == "the metric accuracy is no number from 0 to 1"
