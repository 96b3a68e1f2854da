"""Rounds with clients that fail, answer nonsense or are not there; and rounds after a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Error, Message, MessageType, MetricRecord, RecordDict
from flwr.app.message import make_message
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
from flwr.common.constant import ErrorCode

from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.records.checkpoint import Checkpoint
from pawbrofl_app.rounds import training_loop
from pawbrofl_app.rounds.client_failures import ClientFailure
from pawbrofl_app.rounds.client_sampling import SeededClientManager
from pawbrofl_app.rounds.exchange import Exchange
from pawbrofl_app.rounds.round_policy import RoundPolicy
from pawbrofl_app.rounds.training_loop import TooFewReplies, TrainingLoop
from strategies import Mean, PAwBRoFL
from strategies.server_optimizers import Momentum

START = [np.zeros((2, 3), np.float32), np.zeros(4, np.float32)]
NUM_CLIENTS = 5
Fault = Callable[[int, int], str]


class AddsOne(NumPyClient):
    """Sends back what it got, plus one."""

    def __init__(self, number: int) -> None:
        self.number = number

    def fit(self, parameters: Any, config: Any) -> Any:
        return [array + 1 for array in parameters], 10, {"loss_gap": 0.5, "partition_id": self.number}

    def get_properties(self, config: Any) -> Any:
        return {"partition_id": self.number}


class FaultyGrid(InProcessGrid):
    """Delivers messages, but for the faults that a function of try and client names.

    "silent" gives no reply, "error" an error in its place, "nonsense" a reply that Flower cannot read.
    """

    def __init__(self, fault: Fault = lambda *_: "") -> None:
        self.names = list(range(NUM_CLIENTS))
        app = ClientApp(
            lambda context: AddsOne(self.names[int(context.node_config["partition-id"])]).to_client()
        )
        super().__init__(app, {}, NUM_CLIENTS)
        self.fault = fault
        self.tries: dict[int, int] = {}
        self.faults: dict[str, str] = {}
        self.timeouts: list[float] = []
        self.there = list(self.get_node_ids())

    def get_node_ids(self) -> Iterable[int]:
        return getattr(self, "there", super().get_node_ids())

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        ids = []
        for message in messages:
            node = message.metadata.dst_node_id
            self.tries[node] = self.tries.get(node, 0) + 1
            self.timeouts.append(message.metadata.ttl)
            fault = self.fault(self.tries[node], node - 1)
            if fault == "silent":
                ids.append(f"lost on its way to {node}")
                continue
            ids += super().push_messages([message])
            self.faults[ids[-1]] = fault
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        replies = []
        for reply in super().pull_messages(message_ids):
            fault = self.faults[reply.metadata.reply_to_message_id]
            if fault == "error":
                reply = make_message(reply.metadata, error=Error(ErrorCode.NODE_UNAVAILABLE, "gone"))
            elif fault == "nonsense":
                reply.content = RecordDict({"x": MetricRecord({"y": 1}), "z": ConfigRecord({"w": "v"})})
            replies.append(reply)
        return replies


class Run:
    """One run of the loop on a grid, and all that it told."""

    def __init__(self, grid: FaultyGrid, num_rounds: int = 3, **options: Any) -> None:
        policy: dict[str, Any] = {
            "num_clients": NUM_CLIENTS,
            "start_timeout": 0,
            "min_fit_clients": 3,
            "round_attempts": 3,
            "round_timeout": 0.3,
        }
        fraction_fit = options.pop("fraction_fit", 1.0)
        for name in set(policy) & set(options):
            policy[name] = options.pop(name)
        self.failures: list[tuple[int, str, bool]] = []
        self.checkpoints: list[Checkpoint] = []
        exchange = Exchange(grid)
        self.loop = TrainingLoop(
            exchange=exchange,
            clients=SeededClientManager(exchange, 1),
            strategy=PAwBRoFL(
                weighting=Mean(),
                fraction_fit=fraction_fit,
                min_fit_clients=1,
                min_available_clients=policy["min_fit_clients"],
                fraction_evaluate=0.0,
                initial_parameters=ndarrays_to_parameters(START),
                server_optimizer=Momentum(),
                server_learning_rate=0.5,
            ),
            policy=RoundPolicy(**policy),
            on_failures=self.note,
            after_round=self.checkpoints.append,
            **options,
        )
        self.loop.run(num_rounds)

    def note(self, server_round: int, failures: Sequence[ClientFailure]) -> None:
        self.failures += [(server_round, failure.client, failure.replied) for failure in failures]

    @property
    def model(self) -> list[Any]:
        return parameters_to_ndarrays(self.loop.parameters)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_loop.time, "sleep", lambda _: None)


@pytest.fixture(scope="module")
def undisturbed() -> list[Any]:
    return Run(FaultyGrid()).model


def check_same(model: Sequence[Any], other: Sequence[Any]) -> None:
    for a, b in zip(model, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("kind", "replied"), [("silent", False), ("error", False), ("nonsense", True)])
def test_a_round_goes_on_without_clients_that_fail_and_names_them(
    kind: str, replied: bool, undisturbed: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(FaultyGrid(lambda attempt, client: kind if attempt == 2 and client in (1, 4) else ""))
    assert sorted(run.failures) == [(2, "1", replied), (2, "4", replied)]
    assert sum("no reply from client 1 (node 2): " in line for line in caplog.messages) == 1
    check_same(run.model, undisturbed)


def test_a_client_that_never_answered_goes_by_its_node() -> None:
    run = Run(FaultyGrid(lambda attempt, client: "silent" if client == 2 else ""), num_rounds=1)
    assert run.failures == [(1, "3", False)]


def test_nodes_that_call_themselves_alike_are_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    grid = FaultyGrid()
    grid.names[3] = 0
    Run(grid, num_rounds=1)
    (line,) = (line for line in caplog.messages if "call themselves" in line)
    assert line in ("nodes 1, 4 all call themselves client 0", "nodes 4, 1 all call themselves client 0")


def test_a_round_that_too_few_answered_is_repeated(undisturbed: list[Any]) -> None:
    grid = FaultyGrid(lambda attempt, client: "silent" if attempt in (2, 3) and client > 1 else "")
    run = Run(grid)
    assert set(grid.tries.values()) == {5}
    assert run.failures == []
    check_same(run.model, undisturbed)


def test_a_run_ends_where_a_round_cannot_be_done() -> None:
    grid = FaultyGrid(lambda attempt, client: "silent" if attempt > 1 and client > 1 else "")
    with pytest.raises(
        TooFewReplies, match=r"round 2 was tried 3 times: 2 clients answered, at least 3"
    ):
        Run(grid)


def test_a_client_that_disappears_is_not_waited_for(undisturbed: list[Any]) -> None:
    grid = FaultyGrid()

    def leave(attempt: int, client: int) -> str:
        if attempt == 2:
            grid.there = [1, 2, 3]
        return ""

    grid.fault = leave
    check_same(Run(grid).model, undisturbed)
    assert grid.tries[5] == 2


def test_a_client_that_comes_back_takes_part_again() -> None:
    grid = FaultyGrid()

    def come_and_go(attempt: int, client: int) -> str:
        if client == 0:
            grid.there = [1, 2, 3] if attempt == 1 else [1, 2, 3, 4, 5]
        return ""

    grid.fault = come_and_go
    Run(grid)
    assert grid.tries == {1: 3, 2: 3, 3: 3, 4: 2, 5: 2}


def test_a_start_waits_for_all_clients_or_as_long_as_it_may(
    monkeypatch: pytest.MonkeyPatch, undisturbed: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(training_loop, "SECONDS_BETWEEN_LINES", 1)
    grid = FaultyGrid()
    grid.there = [1, 2, 3]
    check_same(Run(grid, start_timeout=0.5).model, undisturbed)
    assert grid.tries == {1: 3, 2: 3, 3: 3}
    assert "3 of 5 are there" in caplog.text
    assert "--federation-config 'num-supernodes=5'" in caplog.text


def test_a_start_does_not_go_on_with_fewer_than_a_round_needs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(training_loop, "SECONDS_BETWEEN_LINES", 0.001)

    class Filling(FaultyGrid):
        def get_node_ids(self) -> Iterable[int]:
            return [1, 2, 3] if caplog.text.count("2 of 5 are there") > 1 else [1, 2]

    Run(Filling(), num_rounds=1, start_timeout=1e-6)
    assert "starting with 3 of 5 SuperNodes" in caplog.text
    assert "starting with 2 of 5 SuperNodes" not in caplog.text


def test_the_pauses_before_a_round_is_tried_again_grow_up_to_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(training_loop.time, "sleep", pauses.append)
    with pytest.raises(TooFewReplies):
        Run(FaultyGrid(lambda *_: "error"), round_attempts=9)
    between = [pause for pause in pauses if pause >= 2]
    assert between == [2, 4, 8, 16, 32, *[training_loop.LONGEST_PAUSE] * 3]


def test_the_rounds_timeout_is_how_long_messages_live() -> None:
    grid = FaultyGrid()
    Run(grid, num_rounds=1, round_timeout=7.0)
    assert set(grid.timeouts) == {7.0}


def test_a_resumed_run_counts_on_and_ends_the_same(
    undisturbed: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    first = Run(FaultyGrid(), num_rounds=2)
    last = Checkpoint.from_bytes(first.checkpoints[-1].to_bytes())
    assert last.strategy_state, "the server optimiser's"
    caplog.clear()
    resumed = Run(FaultyGrid(), resume_from=last)
    assert [checkpoint.server_round for checkpoint in resumed.checkpoints] == [3]
    assert [line for line in caplog.messages if "[ROUND" in line] == ["[ROUND 3]"]
    check_same(resumed.model, undisturbed)


class TrainingNoted(FaultyGrid):
    """Notes which nodes are asked to train, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.trained: list[int] = []

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        pushed = list(messages)
        asked = [m for m in pushed if m.metadata.message_type == MessageType.TRAIN]
        self.trained += [message.metadata.dst_node_id for message in asked]
        return super().push_messages(pushed)


def test_a_resumed_run_draws_the_clients_that_it_would_have_drawn() -> None:
    whole, first, rest = TrainingNoted(), TrainingNoted(), TrainingNoted()
    Run(whole, num_rounds=6, fraction_fit=0.6)
    before = Run(first, num_rounds=3, fraction_fit=0.6)
    Run(rest, num_rounds=6, fraction_fit=0.6, resume_from=before.checkpoints[-1])
    assert first.trained + rest.trained == whole.trained
    assert rest.trained != first.trained
