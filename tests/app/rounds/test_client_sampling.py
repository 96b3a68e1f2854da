"""The draw of a round's clients rests on their partition ids, not on node ids or arrival."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from flwr.app import Message
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp

from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.rounds.client_sampling import SeededClientManager
from pawbrofl_app.rounds.exchange import Exchange

EARLIER_DRAWS = [
    [0, 3, 7, 9, 11, 17, 22, 26, 27, 29],
    [4, 7, 8, 10, 13, 14, 15, 24, 25, 26],
    [2, 3, 7, 9, 10, 13, 21, 23, 24, 25],
]


class Numbered(NumPyClient):
    """A client that knows its partition id only."""

    def __init__(self, number: Any) -> None:
        self.number = number

    def get_properties(self, config: Any) -> Any:
        return {"partition_id": self.number}


class Numbers(InProcessGrid):
    """Nodes with ids and partition ids of one's choice."""

    def __init__(self, numbers: Mapping[int, Any]) -> None:
        app = ClientApp(lambda context: Numbered(numbers[context.node_id]).to_client())
        super().__init__(app, {}, max(numbers))
        self.numbers = numbers
        self.sent: list[Message] = []

    def get_node_ids(self) -> Iterable[int]:
        return list(self.numbers)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        pushed = list(messages)
        self.sent += pushed
        return super().push_messages(pushed)


def manager_of(
    numbers: Mapping[int, Any], seed: int = 1, patience: float | None = None
) -> SeededClientManager:
    return SeededClientManager(Exchange(Numbers(numbers)), seed, patience)


def drawn(seed: int, node_seed: int, rounds: int = 3) -> list[list[int]]:
    random = np.random.default_rng(node_seed)
    nodes = random.choice(range(1, 10**3), size=30, replace=False)
    numbers = {int(nodes[number]): int(number) for number in random.permutation(30)}
    manager = manager_of(numbers, seed)
    return [[numbers[client.node_id] for client in manager.sample(10)] for _ in range(rounds)]


def test_node_ids_and_registration_order_do_not_matter() -> None:
    assert drawn(seed=1, node_seed=1) == drawn(seed=1, node_seed=2)


def test_seeds_and_rounds_draw_differently() -> None:
    first = drawn(seed=1, node_seed=1)
    assert first != drawn(seed=2, node_seed=1)
    assert first[0] != first[1]


def test_the_draws_are_those_of_earlier_versions() -> None:
    assert drawn(seed=1, node_seed=1) == EARLIER_DRAWS


def test_who_evaluates_depends_on_the_round_alone_and_changes_no_draw_for_training() -> None:
    numbers = {100 + number: number for number in range(30)}
    manager, undisturbed = manager_of(numbers), manager_of(numbers)

    def evaluating(server_round: int) -> list[str]:
        with manager.evaluating(server_round):
            return [client.cid for client in manager.sample(10)]

    before = evaluating(1)
    for _ in range(3):
        assert [c.cid for c in manager.sample(10)] == [c.cid for c in undisturbed.sample(10)]
        assert evaluating(1) == before
        assert evaluating(2) != before
    assert [numbers[int(cid)] for cid in before] not in EARLIER_DRAWS, "nor is it a draw for training"


def test_an_evaluation_waits_for_nobody() -> None:
    manager = manager_of({100: 0})
    with manager.evaluating(1):
        assert len(manager.sample(3, min_num_clients=3)) == 1


def test_every_client_is_drawn_about_as_often() -> None:
    counts = Counter(number for draw in drawn(1, 1, rounds=300) for number in draw)
    assert len(counts) == 30
    assert min(counts.values()) > 60


def test_all_clients_need_no_draw() -> None:
    manager = manager_of({1 + number: number for number in range(5)})
    assert len(manager.sample(5)) == 5
    assert manager.num_draws == 0


def test_clients_are_asked_once() -> None:
    grid = Numbers({1 + number: number for number in range(5)})
    manager = SeededClientManager(Exchange(grid), 1)
    for _ in range(3):
        manager.sample(2)
    assert len(grid.sent) == 5


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, "three", b"3", None, 10**400])
def test_a_client_that_says_nonsense_sorts_last_and_ends_nothing(number: Any) -> None:
    manager = manager_of({1 + honest: honest for honest in range(4)} | {5: number})
    assert len({client.cid for client in manager.sample(3)}) == 3


def test_clients_may_take_only_so_long_to_say_their_partition_id() -> None:
    class Silent(Numbers):
        def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
            return []

    grid = Silent({1 + number: number for number in range(4)})
    manager = SeededClientManager(Exchange(grid), 1, patience=0.1)
    assert len(manager.sample(3)) == 3
    assert {message.metadata.ttl for message in grid.sent} == {0.1}


def test_waiting_for_clients_ends_when_they_are_there_or_the_time_is_up() -> None:
    manager = manager_of({1: 0, 2: 1})
    assert manager.wait_for(2, timeout=0)
    assert not manager.wait_for(3, timeout=0)
