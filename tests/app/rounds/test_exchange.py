"""Messages and replies: each request gets its own reply; simulations have few messages in flight."""

from __future__ import annotations

import inspect
import math
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from flwr.app import ConfigRecord, Context, Message, Metadata, RecordDict
from flwr.app.message import make_message
from flwr.clientapp import ClientApp
from flwr.common.constant import NOOP_ACCOUNT_NAME, NOOP_FLWR_AID
from flwr.proto.task_pb2 import Task
from flwr.server.superlink.linkstate import LinkStateFactory
from flwr.server.superlink.linkstate.in_memory_linkstate import RunRecord
from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME, NOOP_FEDERATION_ID
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run
from flwr.superlink.federation import NoOpFederationManager
from flwr.superlink.grid import InMemoryGrid

from pawbrofl_app.engines.flower_identity import act_as_server_of
from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.rounds import exchange as exchange_module
from pawbrofl_app.rounds import flow_control
from pawbrofl_app.rounds.exchange import LONGEST_PAUSE, SHORTEST_PAUSE, Exchange, Request
from pawbrofl_app.rounds.flow_control import AdaptiveLimit, Unlimited, flow_control_of

NUM_NODES = 40


class Clock:
    """Time that passes when somebody sleeps, or looks for replies."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(exchange_module, "time", clock)
    monkeypatch.setattr(flow_control, "time", clock)
    monkeypatch.setattr(flow_control.os, "cpu_count", lambda: 1)
    return clock


def echoing_app() -> ClientApp:
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        sent = message.content.config_records["sent"]["value"]
        answer = ConfigRecord({"node": context.node_id, "sent": sent})
        return Message(RecordDict({"answer": answer}), reply_to=message)

    return app


def request_to(node: int) -> Request:
    return Request(node, "query", RecordDict({"sent": ConfigRecord({"value": 10 * node})}), "1")


REQUESTS = [request_to(node) for node in range(1, NUM_NODES + 1)]
ANSWERS = [(node, 10 * node) for node in range(1, NUM_NODES + 1)]


class SlowGrid(InProcessGrid):
    """Delivers at most so many replies a look, which takes a second, and counts messages in flight."""

    def __init__(self, replies_a_look: int, clock: Clock) -> None:
        super().__init__(echoing_app(), {}, NUM_NODES)
        self.replies_a_look = replies_a_look
        self.clock = clock
        self.in_flight = self.most_in_flight = 0

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        ids = list(super().push_messages(messages))
        self.in_flight += len(ids)
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        self.clock.now += 1
        ids = sorted(message_ids)[: self.replies_a_look]
        replies = [reply for one in ids for reply in super(SlowGrid, self).pull_messages([one])]
        self.in_flight -= len(replies)
        return replies


def answers(exchange: Exchange, timeout: float | None = None) -> list[Any]:
    found: dict[int, Any] = {}
    for position, reply in exchange.ask(REQUESTS, timeout):
        assert position not in found
        found[position] = reply and tuple(reply.content.config_records["answer"].values())
    return [found[position] for position in range(NUM_NODES)]


@pytest.mark.parametrize("replies_a_look", [1, 100], ids=["slow clients", "fast clients"])
@pytest.mark.parametrize("make", [Unlimited, lambda: AdaptiveLimit(lambda: 1)], ids=["all", "few"])
def test_each_request_gets_the_reply_to_its_own_message(
    replies_a_look: int, make: Any, clock: Clock
) -> None:
    assert answers(Exchange(SlowGrid(replies_a_look, clock), make)) == ANSWERS


def test_slow_clients_have_few_messages_in_flight_and_fast_ones_many(clock: Clock) -> None:
    slow, fast = SlowGrid(1, clock), SlowGrid(100, clock)
    for each in (slow, fast):
        answers(Exchange(each, lambda: AdaptiveLimit(lambda: 1)))
    assert slow.most_in_flight == flow_control.LOWEST_LIMIT
    assert fast.most_in_flight > 2 * flow_control.LOWEST_LIMIT


def test_every_actor_has_a_message_waiting(clock: Clock) -> None:
    slow = SlowGrid(1, clock)
    answers(Exchange(slow, lambda: AdaptiveLimit(lambda: 10)))
    assert slow.most_in_flight == 20


def test_without_flow_control_all_messages_go_out_at_once(clock: Clock) -> None:
    slow = SlowGrid(1, clock)
    answers(Exchange(slow))
    assert slow.most_in_flight == NUM_NODES


def test_a_timeout_leaves_out_what_did_not_come(clock: Clock) -> None:
    exchange = Exchange(SlowGrid(0, clock))
    assert answers(exchange, timeout=0.05) == [None] * NUM_NODES
    assert clock.now < 3


def test_nothing_is_sent_after_the_timeout(clock: Clock) -> None:
    slow = SlowGrid(1, clock)
    found = answers(Exchange(slow, lambda: AdaptiveLimit(lambda: 1)), timeout=10.0)
    assert found.count(None) > 20
    assert slow.in_flight == 0, "what was in flight when the time was up has come"


def test_what_looking_for_replies_raises_reaches_those_who_wait(clock: Clock) -> None:
    class BrokenGrid(SlowGrid):
        def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
            raise ConnectionError("the simulation is gone")

    with pytest.raises(ConnectionError, match="the simulation is gone"):
        answers(Exchange(BrokenGrid(1, clock)))


def test_pauses_are_the_longer_the_longer_replies_take(clock: Clock) -> None:
    answers(Exchange(SlowGrid(0, clock)), timeout=1000.0)
    assert clock.pauses[0] == pytest.approx(max(SHORTEST_PAUSE, 0.05))
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[-1] == LONGEST_PAUSE


class MeddledGrid(SlowGrid):
    """Has every reply go through a function, which may return any number of messages."""

    def __init__(self, clock: Clock, meddle: Any) -> None:
        super().__init__(100, clock)
        self.meddle = meddle

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return [one for reply in super().pull_messages(message_ids) for one in self.meddle(reply)]


def changed(reply: Message, **changes: Any) -> Message:
    names = inspect.signature(Metadata).parameters
    fields = {name: getattr(reply.metadata, name) for name in names}
    return make_message(Metadata(**(fields | changes)), reply.content)


@pytest.mark.parametrize(
    "more",
    [
        lambda reply: reply,
        lambda reply: changed(reply, reply_to_message_id="never sent"),
        lambda reply: changed(reply, src_node_id=reply.metadata.src_node_id + 1),
    ],
    ids=["a second reply", "a reply to no message", "a reply from another node"],
)
def test_replies_that_nobody_asked_for_are_harmless(more: Any, clock: Clock) -> None:
    expected = answers(Exchange(SlowGrid(100, clock)))
    for order in (1, -1):
        grid = MeddledGrid(clock, lambda reply, order=order: [reply, more(reply)][::order])
        assert answers(Exchange(grid)) == expected


@pytest.mark.parametrize("tells_which", [True, False])
def test_a_message_that_the_grid_refuses_has_no_reply(tells_which: bool, clock: Clock) -> None:
    class Picky(SlowGrid):
        """Refuses messages to node 3: None takes the place of the id, or nothing does."""

        def push_messages(self, messages: Iterable[Message]) -> Iterable[Any]:
            ids: list[str | None] = []
            for message in messages:
                if message.metadata.dst_node_id != 3:
                    ids += super().push_messages([message])
                    message.metadata.__dict__["_message_id"] = ids[-1]  # as Flower's own grids do
                elif tells_which:
                    ids.append(None)
            return ids

    expected = [None if node == 3 else (node, sent) for node, sent in ANSWERS]
    assert answers(Exchange(Picky(100, clock))) == expected


def flowers_own_grid(num_nodes: int) -> InMemoryGrid:
    """The grid of Flower's simulation, with nodes whose clients never start."""
    factory = LinkStateFactory(FLWR_IN_MEMORY_DB_NAME, NoOpFederationManager(), ObjectStoreFactory())
    state: Any = factory.state()
    run = Run.create_empty(1)
    run.primary_task_id, run.federation_id = 2, NOOP_FEDERATION_ID
    state.run_ids[1] = RunRecord(run=run)
    state.task_store[2] = Task(task_id=2, run_id=1)
    for _ in range(num_nodes):
        node = state.create_node(NOOP_FLWR_AID, NOOP_ACCOUNT_NAME, secrets.token_bytes(32), 1e9)
        state.acknowledge_node_heartbeat(node, 1e9)
    grid = InMemoryGrid(factory)
    grid.set_run(run)
    act_as_server_of(1)
    return grid


def test_flowers_own_grid_takes_the_messages_and_the_exchange_gives_up_in_time() -> None:
    grid = flowers_own_grid(5)
    exchange = Exchange(grid, flow_control_of(grid))
    requests = [replace(REQUESTS[0], node_id=node) for node in [*exchange.node_ids(), 3]]
    answered = list(exchange.ask(requests, timeout=0.2))
    assert sorted(position for position, _ in answered) == list(range(6))
    assert all(reply is None or reply.has_error() for _, reply in answered)


def test_flowers_simulation_alone_has_flow_control() -> None:
    assert flow_control_of(SlowGrid(1, Clock())) is Unlimited
    assert Unlimited().limit == math.inf
    assert isinstance(flow_control_of(flowers_own_grid(0))(), AdaptiveLimit)
