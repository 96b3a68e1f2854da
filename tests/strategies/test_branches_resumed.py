"""Branches after a restart: bit for bit the same, and no place for who claims another's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from strategies import Momentum

from .one_round import EACH_API, Reply
from .quadratic_clients import ATTACKERS, CLIENTS, MINORITY, NODES, Checkpoint, Federation, optima
from .test_pawbrofl_strategy import assert_same_bits

OPTIONS: dict[str, Any] = {"branches": 2, "server_optimizer": Momentum(0.5)}
NEW_NODES = {client: 9000 - 7 * client for client in CLIENTS}
OTHERS = [(1, NEW_NODES), (2, NODES), (5, NODES), (6, NEW_NODES)]
HOMES = {**dict.fromkeys(MINORITY, 1), **dict.fromkeys(ATTACKERS, 2)}


@pytest.fixture(params=EACH_API)
def api(request: pytest.FixtureRequest) -> Any:
    return request.param


@dataclass
class Whole:
    """A run that nothing interrupts, through either API, and what was kept after each round from 1."""

    api: Any
    played: Federation
    after: list[Checkpoint]

    def resumed(self, last: int, node_of: Mapping[int, int] = NODES) -> Federation:
        return self.after[last].resumed(self.api, OPTIONS, node_of)


@pytest.fixture(scope="module", params=EACH_API)
def whole(request: pytest.FixtureRequest) -> Whole:
    api: Any = request.param
    played = Federation(api(**OPTIONS), optima(MINORITY, ATTACKERS))
    after = [Checkpoint(played)]
    after += [Checkpoint(played.run(server_round)) for server_round in range(1, 10)]
    return Whole(api, played, after)


@pytest.mark.parametrize(
    ("last", "node_of"),
    [
        (3, NEW_NODES),
        *(pytest.param(*others, marks=pytest.mark.slow) for others in OTHERS),
    ],
)
def test_a_resumed_run_gives_the_same_bits(whole: Whole, last: int, node_of: Mapping[int, int]) -> None:
    again = whole.resumed(last, node_of)
    again.way.strategy.introduce({str(node): client for client, node in again.node_of.items()})
    again.run(*range(last + 1, 10))
    assert again.home() == whole.played.home() == HOMES
    assert_same_bits(again.model, whole.played.model)
    for number, model in whole.played.way.branch_models().items():
        assert_same_bits(again.way.branch_models()[number], model)


def test_new_nodes_that_nobody_introduced_are_known_once_they_reply(whole: Whole) -> None:
    again = whole.resumed(4, NEW_NODES)
    assert again.home() == {}
    branch = again.way.strategy.state()["branch.1.model.0"]
    main = again.model
    again.run(6)
    assert again.home() == HOMES
    assert_same_bits([again.way.branch_models()[1][0]], [branch])  # on a visit, in no aggregate
    assert np.abs(again.model[0] - main[0]).max() > 0


def test_a_node_that_keeps_its_id_keeps_its_place_whatever_others_claim(whole: Whole) -> None:
    again = whole.resumed(4)
    claims = {str(again.node_of[client]): 0 for client in (17, 18)}
    again.way.strategy.introduce({**claims, "12345": 1})
    again.run(6)
    assert again.home() == HOMES
    assert again.way.strategy.models_to_evaluate(["12345"]) == [0]


def test_a_contested_place_is_nobodys_and_a_usurper_loses_it(whole: Whole) -> None:
    again = whole.resumed(4, NEW_NODES)
    home = again.way.strategy.models_to_evaluate
    owner, liar = str(NEW_NODES[0]), str(NEW_NODES[19])
    again.way.strategy.introduce({liar: 0})
    assert home([owner, liar]) == [0, 1]
    again.way.strategy.introduce({owner: 0})
    assert home([owner, liar]) == [0, 0]
    again.way.strategy.introduce({str(NEW_NODES[1]): 1})
    assert home([str(NEW_NODES[1])]) == [1]


def test_an_id_that_several_reported_is_saved_as_nobodys(api: Any) -> None:
    def claim(server_round: int, client: int, reply: Reply) -> None:
        if client == 19:
            reply.metrics["partition_id"] = 0

    old = Federation(api(**OPTIONS), optima(MINORITY, ATTACKERS)).run(1, 2, 3, 4, tamper=claim)
    again = Checkpoint(old).resumed(api, OPTIONS, NEW_NODES)
    reported = {str(node): client for client, node in NEW_NODES.items()}
    again.way.strategy.introduce({**reported, str(NEW_NODES[19]): 0})
    assert again.home() == {**dict.fromkeys(MINORITY[1:], 1), **dict.fromkeys(ATTACKERS, 2)}
    assert Checkpoint(old).resumed(api, OPTIONS).home() == old.home()


def test_a_checkpoint_without_branches_is_taken_up_with_them_and_vice_versa(whole: Whole) -> None:
    without = Federation(whole.api(server_optimizer=Momentum(0.5)), optima(MINORITY)).run(1, 2)
    with_branches = whole.api(**OPTIONS).strategy
    with_branches.restore(without.way.strategy.state())
    assert with_branches.state()["0.0"].shape == (10, 5)
    again = whole.api(server_optimizer=Momentum(0.5)).strategy
    again.restore(whole.after[3].state)
    assert set(again.state()) == {"0.0", "0.1"}
