"""Branches after a restart: bit for bit the same, and no place for who claims another's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strategies import Momentum

from .one_round import BOTH_APIS, Reply
from .quadratic_clients import ATTACKERS, CLIENTS, MINORITY, Federation, optima
from .test_pawbrofl_strategy import assert_same_bits

OPTIONS: dict[str, Any] = {"branches": 2, "server_optimizer": Momentum(0.5)}
NEW_NODES = {client: 9000 - 7 * client for client in CLIENTS}


@pytest.fixture(params=BOTH_APIS)
def api(request: pytest.FixtureRequest) -> Any:
    return request.param


def interrupted(api: Any, *rounds: int, **options: Any) -> Federation:
    return Federation(api(**OPTIONS), optima(MINORITY, ATTACKERS)).run(*rounds, **options)


def resumed(api: Any, old: Federation, node_of: dict[int, int] | None = None) -> Federation:
    """Return a new strategy where an old one was, with new node ids if given."""
    new = Federation(api(**OPTIONS), old.optima, node_of or old.node_of, old.model)
    state = {name: array.copy() for name, array in old.way.strategy.state().items()}
    assert not any(array.dtype.hasobject for array in state.values())
    new.way.strategy.restore(state)
    return new


@pytest.mark.parametrize("last", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("new_nodes", [None, NEW_NODES])
def test_a_resumed_run_gives_the_same_bits(api: Any, last: int, new_nodes: Any) -> None:
    whole = interrupted(api, *range(1, 10))
    again = resumed(api, interrupted(api, *range(1, last + 1)), new_nodes)
    again.way.strategy.introduce({str(node): client for client, node in again.node_of.items()})
    again.run(*range(last + 1, 10))
    assert again.home() == whole.home() == {**dict.fromkeys(MINORITY, 1), **dict.fromkeys(ATTACKERS, 2)}
    assert_same_bits(again.model, whole.model)
    for number, model in whole.way.branch_models().items():
        assert_same_bits(again.way.branch_models()[number], model)


def test_new_nodes_that_nobody_introduced_are_known_once_they_reply(api: Any) -> None:
    again = resumed(api, interrupted(api, 1, 2, 3, 4), NEW_NODES)
    assert again.home() == {}
    branch = again.way.strategy.state()["branch.1.model.0"]
    main = again.model
    again.run(6)
    assert again.home() == {**dict.fromkeys(MINORITY, 1), **dict.fromkeys(ATTACKERS, 2)}
    assert_same_bits([again.way.branch_models()[1][0]], [branch])  # on a visit, in no aggregate
    assert np.abs(again.model[0] - main[0]).max() > 0


def test_a_node_that_keeps_its_id_keeps_its_place_whatever_others_claim(api: Any) -> None:
    again = resumed(api, interrupted(api, 1, 2, 3, 4))
    claims = {str(again.node_of[client]): 0 for client in (17, 18)}
    again.way.strategy.introduce({**claims, "12345": 1})
    again.run(6)
    assert again.home() == {**dict.fromkeys(MINORITY, 1), **dict.fromkeys(ATTACKERS, 2)}
    assert again.way.strategy.models_to_evaluate(["12345"]) == [0]


def test_a_contested_place_is_nobodys_and_a_usurper_loses_it(api: Any) -> None:
    again = resumed(api, interrupted(api, 1, 2, 3, 4), NEW_NODES)
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

    old = interrupted(api, 1, 2, 3, 4, tamper=claim)
    again = resumed(api, old, NEW_NODES)
    reported = {str(node): client for client, node in NEW_NODES.items()}
    again.way.strategy.introduce({**reported, str(NEW_NODES[19]): 0})
    assert again.home() == {**dict.fromkeys(MINORITY[1:], 1), **dict.fromkeys(ATTACKERS, 2)}
    with_old_ids = resumed(api, old)
    assert with_old_ids.home() == old.home()


def test_a_checkpoint_without_branches_is_taken_up_with_them_and_the_other_way_round(api: Any) -> None:
    without = Federation(api(server_optimizer=Momentum(0.5)), optima(MINORITY)).run(1, 2)
    with_branches = api(**OPTIONS).strategy
    with_branches.restore(without.way.strategy.state())
    assert with_branches.state()["0.0"].shape == (10, 5)
    again = api(server_optimizer=Momentum(0.5)).strategy
    again.restore(interrupted(api, 1, 2, 3).way.strategy.state())
    assert set(again.state()) == {"0.0", "0.1"}
