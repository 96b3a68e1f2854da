"""The draw of a round's clients rests on their own numbers, not on node ids or arrival."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from flwr.common import Code, GetPropertiesIns, GetPropertiesRes, Status
from flwr.server.client_proxy import ClientProxy

from pawbrofl_app.rounds.client_sampling import SeededClientManager


class NumberedProxy(ClientProxy):
    """A client that knows its number only."""

    fit = evaluate = get_parameters = reconnect = None  # type: ignore[assignment]

    def __init__(self, node: int, number: int) -> None:
        super().__init__(str(node))
        self.number = number

    def get_properties(
        self, ins: GetPropertiesIns, timeout: float | None, group_id: int | None
    ) -> GetPropertiesRes:
        return GetPropertiesRes(Status(Code.OK, ""), {"partition_id": self.number})


def drawn(seed: int, node_seed: int, rounds: int = 3) -> list[list[int]]:
    manager = SeededClientManager(seed)
    random = np.random.default_rng(node_seed)
    nodes = random.choice(10**9, size=30, replace=False)
    for number in random.permutation(30):
        manager.register(NumberedProxy(int(nodes[number]), int(number)))
    return [
        [client.number for client in manager.sample(10)]  # type: ignore[attr-defined]
        for _ in range(rounds)
    ]


def test_node_ids_and_registration_order_do_not_matter() -> None:
    assert drawn(seed=1, node_seed=1) == drawn(seed=1, node_seed=2)


def test_seeds_and_rounds_draw_differently() -> None:
    first = drawn(seed=1, node_seed=1)
    assert first != drawn(seed=2, node_seed=1)
    assert first[0] != first[1]


def test_who_evaluates_depends_on_the_round_alone_and_changes_no_draw_for_training() -> None:
    manager, undisturbed = SeededClientManager(1), SeededClientManager(1)
    for number in range(30):
        for one in (manager, undisturbed):
            one.register(NumberedProxy(100 + number, number))

    def evaluating(server_round: int) -> list[str]:
        with manager.evaluating(server_round):
            return [client.cid for client in manager.sample(10)]

    before = evaluating(1)
    for _ in range(3):
        assert [c.cid for c in manager.sample(10)] == [c.cid for c in undisturbed.sample(10)]
        assert evaluating(1) == before
        assert evaluating(2) != before


def test_an_evaluation_waits_for_nobody() -> None:
    manager = SeededClientManager(1)
    manager.register(NumberedProxy(100, 0))
    with manager.evaluating(1):
        assert len(manager.sample(3, min_num_clients=3)) == 1


def test_every_client_is_drawn_about_as_often() -> None:
    counts = Counter(number for draw in drawn(1, 1, rounds=300) for number in draw)
    assert len(counts) == 30
    assert min(counts.values()) > 60


def test_all_clients_need_no_draw() -> None:
    manager = SeededClientManager(1)
    for number in range(5):
        manager.register(NumberedProxy(number, number))
    assert len(manager.sample(5)) == 5
    assert manager.num_draws == 0


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, "three", b"3", None, 10**400])
def test_a_client_that_says_nonsense_sorts_last_and_ends_nothing(number: Any) -> None:
    manager = SeededClientManager(1)
    for honest in range(4):
        manager.register(NumberedProxy(honest, honest))
    manager.register(NumberedProxy(4, number))
    assert len({client.cid for client in manager.sample(3)}) == 3


def test_clients_may_take_only_so_long_to_say_their_number() -> None:
    class Slow(NumberedProxy):
        def get_properties(
            self, ins: GetPropertiesIns, timeout: float | None, group_id: int | None
        ) -> GetPropertiesRes:
            assert timeout == 7.0
            raise ValueError("nothing came in time")

    manager = SeededClientManager(1, patience=7.0)
    for number in range(4):
        manager.register(Slow(number, number))
    assert len(manager.sample(3)) == 3
