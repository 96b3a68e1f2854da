"""The grid in front of Ray's: each sender gets its own replies, and few messages are under way."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from pawbrofl_app.engines import simulation_grid as simulation_grid_module
from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.engines.simulation_grid import (
    LEAST_UNDER_WAY,
    SECONDS_BETWEEN_LOOKS,
    SimulationGrid,
    simulation_grid,
)


def echoing_app() -> ClientApp:
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        answer = ConfigRecord({"node": context.node_id, "sent": value_of(message)})
        return Message(RecordDict({"answer": answer}), reply_to=message)

    return app


def value_of(message: Message) -> Any:
    return message.content.config_records["sent"]["value"]


def message_to(node: int) -> Message:
    return Message(RecordDict({"sent": ConfigRecord({"value": 10 * node})}), node, "query")


class SlowGrid(InProcessGrid):
    """Delivers at most so many replies a look, and notes how many messages were ever under way."""

    def __init__(self, replies_a_look: int) -> None:
        super().__init__(echoing_app(), {}, 40)
        self.replies_a_look = replies_a_look
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        ids = list(super().push_messages(messages))
        with self.lock:
            self.under_way += len(ids)
            self.most_under_way = max(self.most_under_way, self.under_way)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        replies = list(super().pull_messages(sorted(message_ids)[: self.replies_a_look]))
        with self.lock:
            self.under_way -= len(replies)
        return replies


def ask_all(grid: Grid, nodes: Iterable[int]) -> list[tuple[Any, Any]]:
    """Ask each node from a thread of its own, as Flower's server does."""

    def ask(node: int) -> tuple[Any, Any]:
        (reply,) = grid.send_and_receive([message_to(node)])
        answer = reply.content.config_records["answer"]
        return answer["node"], answer["sent"]

    with ThreadPoolExecutor(40) as pool:
        return list(pool.map(ask, nodes))


@pytest.mark.parametrize("replies_a_look", [1, 100], ids=["slow clients", "fast clients"])
def test_each_sender_gets_the_reply_to_its_own_message(replies_a_look: int) -> None:
    slow = SlowGrid(replies_a_look)
    with SimulationGrid(slow, lambda: 1).open() as grid:
        assert ask_all(grid, range(1, 41)) == [(node, 10 * node) for node in range(1, 41)]


def test_slow_clients_have_few_messages_under_way_and_fast_ones_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulation_grid_module, "SECONDS_JUDGED_BY", 0.5 * SECONDS_BETWEEN_LOOKS)
    slow, fast = SlowGrid(1), SlowGrid(100)
    for each in (slow, fast):
        with SimulationGrid(each, lambda: 1).open() as grid:
            ask_all(grid, range(1, 41))
    assert slow.most_under_way == LEAST_UNDER_WAY
    assert fast.most_under_way > 2 * LEAST_UNDER_WAY


def test_every_actor_has_a_message_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation_grid_module, "SECONDS_JUDGED_BY", 0.5 * SECONDS_BETWEEN_LOOKS)
    slow = SlowGrid(1)
    with SimulationGrid(slow, lambda: 10).open() as grid:
        ask_all(grid, range(1, 41))
    assert slow.most_under_way == 20


def test_a_timeout_leaves_out_what_did_not_come() -> None:
    with SimulationGrid(SlowGrid(0), lambda: 1).open() as grid:
        assert list(grid.send_and_receive([message_to(1)], timeout=0.05)) == []


def test_what_looking_for_replies_raises_reaches_those_who_wait() -> None:
    class BrokenGrid(SlowGrid):
        def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
            raise ConnectionError("the simulation is gone")

    with (
        SimulationGrid(BrokenGrid(1), lambda: 1).open() as grid,
        pytest.raises(ConnectionError, match="the simulation is gone"),
    ):
        grid.send_and_receive([message_to(1)])


def test_other_grids_are_left_as_they_are() -> None:
    other = SlowGrid(1)
    with simulation_grid(other) as grid:
        assert grid is other
