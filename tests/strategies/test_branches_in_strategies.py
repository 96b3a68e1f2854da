"""Branches in both Flower strategies: who is sent what, and that no branch reaches another model.

Both give the same bits (a test says so): what is about rounds alone is played through one of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from strategies import Momentum
from strategies.branches import Branching

from .one_round import BOTH_APIS, EACH_API, AggregateFit, AggregateTrain, Reply
from .quadratic_clients import (
    ATTACKERS,
    CLIENTS,
    MINORITY,
    START,
    Checkpoint,
    Federation,
    flat,
    optima,
)
from .test_pawbrofl_strategy import assert_same_bits, log

__all__ = ["log"]


@pytest.fixture(params=EACH_API)
def api(request: pytest.FixtureRequest) -> Any:
    return request.param


@dataclass
class Served:
    """Twelve rounds with an honest minority, through either API, and what was kept after each from 0."""

    api: Any
    played: Federation
    after: list[Checkpoint]

    def resumed(self, last: int) -> Federation:
        """Return the federation as it was after a round, to go on from there."""
        return self.after[last - 1].resumed(self.api, {"branches": 2}).run(last)


@pytest.fixture(scope="module", params=EACH_API)
def minority(request: pytest.FixtureRequest) -> Served:
    api: Any = request.param
    played = Federation(api(branches=2), optima(MINORITY))
    after = [Checkpoint(played)]
    after += [Checkpoint(played.run(server_round)) for server_round in range(1, 13)]
    return Served(api, played, after)


def test_an_honest_minority_is_served_by_a_branch_of_its_own(minority: Served) -> None:
    served, wanted = minority.played, optima(MINORITY)
    without = Federation(minority.api(), wanted).run(*range(1, 13))
    assert served.home() == dict.fromkeys(MINORITY, 1)
    own = flat(served.way.branch_models()[1])
    assert np.linalg.norm(own - wanted[0]) < 0.5 < 2 < np.linalg.norm(flat(without.model) - wanted[0])
    assert np.linalg.norm(flat(served.model) - wanted[19]) < 0.3
    opened = served.rounds[0].branches
    assert opened.opened == (1,)
    assert {change.client for change in opened.changes} == {str(client) for client in MINORITY}
    branches = {client.client: client.branch for client in served.rounds[-1].clients}
    assert branches == {str(client): int(client in MINORITY) for client in CLIENTS}
    assert not any(client.judged_malicious for client in served.rounds[-1].clients)


def test_each_client_is_sent_the_model_of_its_branch_and_evaluates_it(minority: Served) -> None:
    played = minority.resumed(4)
    main, own = played.model, played.way.branch_models()[1]
    assert np.abs(flat(main) - flat(own)).max() > 0.1
    evaluated = played.way.evaluated(main, list(played.node_of.values()))
    for client, node in played.node_of.items():
        assert_same_bits(evaluated[node], own if client in MINORITY else main)
    played.run(5)  # all visit the main model
    assert_same_bits(played.received[0], main)
    assert_same_bits(played.way.branch_models()[1], own)
    played.run(6)
    assert_same_bits(played.received[0], own)
    assert_same_bits(played.received[19], evaluated_again(played, 19))


def evaluated_again(played: Federation, client: int) -> Any:
    """Return what a client received last, from the others who share its model."""
    return played.received[18 if client != 18 else 17]


def test_without_branches_nothing_differs(api: Any) -> None:
    wanted = optima(MINORITY)
    plain = Federation(api(), wanted).run(1, 2, 3)  # with branches, one would open after the second
    for off in (0, None):
        without = Federation(api(branches=off), wanted).run(1, 2, 3)
        assert_same_bits(plain.model, without.model)
    assert plain.way.branch_models() == {}
    assert plain.way.strategy.state() == {}


@pytest.mark.slow
def test_both_apis_give_the_same_bits() -> None:
    first, second = (
        Federation(each(branches=2), optima(MINORITY, ATTACKERS)).run(*range(1, 7)) for each in BOTH_APIS
    )
    assert_same_bits(first.model, second.model)
    for number, model in first.way.branch_models().items():
        assert_same_bits(model, second.way.branch_models()[number])


@pytest.mark.slow
def test_where_clients_are_alike_no_branch_opens() -> None:
    assert Federation(AggregateTrain(branches=2), optima()).run(*range(1, 9)).home() == {}


@pytest.mark.slow
def test_no_more_branches_than_allowed() -> None:
    groups = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    played = Federation(AggregateFit(branches=2), optima(*groups)).run(*range(1, 13))
    assert set(played.home().values()) <= {1, 2}
    assert len(played.way.branch_models()) <= 2


@pytest.mark.slow
def test_whoever_finds_no_branch_is_still_named_once_another_has_one(log: list[str]) -> None:
    groups = [[0, 1, 2], [3, 4, 5]]
    played = Federation(AggregateTrain(branches=1), optima(*groups)).run(*range(1, 10))
    assert played.home() == dict.fromkeys(groups[0], 1)
    (warning,) = (line for line in log if "left out again and again" in line)
    assert "left out again and again: 3, 4, 5 since round 1; median gap" in warning


@pytest.mark.slow
def test_a_branch_whose_members_left_goes_to_who_is_left_out_next(log: list[str]) -> None:
    others = [client for client in CLIENTS if client not in MINORITY]
    branching = Branching(1, visit_every=0, deserted_after=3)
    played = Federation(AggregateFit(branches=branching), optima(MINORITY, ATTACKERS)).run(1, 2)
    assert played.home() == dict.fromkeys(MINORITY, 1)
    played.run(3, 4, 5, clients=others)
    assert played.home() == dict.fromkeys(MINORITY, 1)
    played.run(6, 7, 8, 9, clients=others)
    assert played.home() == dict.fromkeys(ATTACKERS, 2)
    assert list(played.way.branch_models()) == [2]
    assert any("branch 1 is closed" in line for line in log)
    played.run(10)
    assert_same_bits(played.received[MINORITY[0]], played.received[19])


@pytest.mark.slow
@pytest.mark.parametrize(("api", "optimizer"), [(AggregateFit, None), (AggregateTrain, Momentum(0.5))])
def test_whatever_members_and_visitors_send_and_report_no_other_model_differs(
    api: Any, optimizer: Any
) -> None:
    def lie(server_round: int, client: int, reply: Reply) -> None:
        if client in ATTACKERS and server_round not in (1, 2):
            reply.model = [array + 1e3 * server_round for array in reply.model]  # type: ignore[operator]
            reply.metrics |= {"loss_before": 1e-9 * server_round, "loss_gap": 1e9}

    wanted = optima(MINORITY, ATTACKERS)
    options = {"branches": 2, "server_optimizer": optimizer}
    honest = Federation(api(**options), wanted).run(1, 2)
    lying = Checkpoint(honest).resumed(api, options)
    assert honest.home() == {**dict.fromkeys(MINORITY, 1), **dict.fromkeys(ATTACKERS, 2)}
    for server_round in (3, 4, 5, 6):
        honest.run(server_round)
        lying.run(server_round, tamper=lie)
        assert_same_bits(honest.model, lying.model)
        assert_same_bits(honest.way.branch_models()[1], lying.way.branch_models()[1])
    attacked, theirs = (each.way.branch_models()[2] for each in (lying, honest))
    assert np.abs(flat(attacked) - flat(theirs)).max() > 1


@pytest.mark.slow
def test_attackers_split_off_leave_the_main_model_as_if_they_had_stayed_without_weight() -> None:
    wanted = optima(ATTACKERS)
    split = Federation(AggregateTrain(branches=Branching(2, visit_every=0), performance=None), wanted)
    kept = Federation(AggregateTrain(branches=Branching(2, patience=99), performance=None), wanted)
    split.run(*range(1, 7))
    kept.run(*range(1, 7))
    assert split.home() == dict.fromkeys(ATTACKERS, 1)
    assert kept.home() == {}
    np.testing.assert_allclose(flat(split.model), flat(kept.model), rtol=0, atol=1e-12)


@pytest.mark.slow
def test_who_claims_anothers_partition_id_neither_enters_nor_moves_a_branch(minority: Served) -> None:
    liar = 19

    def claim(server_round: int, client: int, reply: Reply) -> None:
        if client == liar:
            reply.metrics |= {"partition_id": MINORITY[0], "loss_before": math.nan}

    truthful = minority.resumed(6)
    lying = Federation(minority.api(branches=2), optima(MINORITY)).run(*range(1, 7), tamper=claim)
    assert lying.home() == truthful.home() == dict.fromkeys(MINORITY, 1)
    assert np.linalg.norm(flat(lying.model) - flat(truthful.model)) < 1e-9
    assert_same_bits(lying.way.branch_models()[1], truthful.way.branch_models()[1])


def hostile(server_round: int, client: int, reply: Reply) -> None:
    """Send everything that no server should be sent."""
    kind = (server_round + client) % 7
    if client not in (1, 5, 6, 7):
        return
    if kind == 0:
        reply.model = [np.full_like(array, np.nan) for array in reply.model]
    elif kind == 1:
        reply.model = [np.zeros(3)]
    elif kind == 2:
        reply.metrics.clear()
    elif kind == 3:
        reply.metrics |= {"loss_before": math.inf, "partition_id": 2**70 if client == 1 else 0}
    elif kind == 4:
        reply.model = [np.full_like(array, 1e38) for array in reply.model]
    elif kind == 5:
        reply.node = 100  # another's
    elif kind == 6:
        reply.metrics |= {"loss_before": -1e300, "loss-before": 0.0, "loss_gap": 1e300}


def test_hostile_replies_end_with_finite_models() -> None:
    played = Federation(AggregateFit(branches=2), optima(MINORITY, ATTACKERS))
    played.run(*range(1, 10), tamper=hostile)
    for model in (played.model, *played.way.branch_models().values()):
        assert all(np.isfinite(array).all() for array in model)
    assert set(played.home().values()) <= {1, 2, 3, 4}
    assert len(played.way.branch_models()) <= 2


def test_a_branch_that_nobody_answers_for_keeps_its_model_and_so_does_the_main_one(
    minority: Served,
) -> None:
    def broken(server_round: int, client: int, reply: Reply) -> None:
        reply.model = [np.full_like(array, np.nan) for array in reply.model]

    played = minority.resumed(3)
    main, own = played.model, played.way.branch_models()[1]
    others = [client for client in CLIENTS if client not in MINORITY]
    played.run(4, clients=others)
    assert_same_bits(played.way.branch_models()[1], own)
    main = played.model
    played.run(6, clients=MINORITY)
    assert_same_bits(played.model, main)
    assert np.abs(flat(played.way.branch_models()[1]) - flat(own)).max() > 0
    own = played.way.branch_models()[1]
    played.run(7, tamper=broken)
    assert_same_bits(played.model, main)
    assert_same_bits(played.way.branch_models()[1], own)


def test_a_model_of_another_form_begins_without_branches(minority: Served) -> None:
    played = minority.resumed(3)
    assert played.home()
    played.way.run([np.zeros(4)], [Reply(100, [np.ones(4)])], server_round=1)
    assert played.home() == {}


def test_the_log_says_who_was_given_a_branch_and_who_came_back(log: list[str]) -> None:
    played = Federation(AggregateFit(branches=2), optima(MINORITY)).run(1, 2, 3, 4)
    (line,) = [line for line in log if "given a model of their own" in line]
    assert "clients 0, 1, 2, 3 are given a model of their own, branch 1" in line
    assert "left out of the main model since round 1" in line
    played.optima[MINORITY] = played.optima[19]  # as the others from now on
    played.model = [array.copy() for array in START]
    played.run(5)
    assert any("go back to the main model from branch 1" in line for line in log)
    assert any("branch 1 is closed" in line for line in log)
    assert played.home() == {}
    assert played.rounds[-1].branches.closed == (1,)


@pytest.mark.mostly_slow(2)
@pytest.mark.parametrize(
    ("api", "key"), [(AggregateFit, "loss_before"), (AggregateTrain, "loss-before")]
)
def test_members_leave_a_branch_that_serves_them_badly_by_the_losses_that_they_report(
    api: Any, key: str
) -> None:
    def unhappy(server_round: int, client: int, reply: Reply) -> None:
        del reply.metrics["loss_before"]
        reply.metrics[key] = 9.0 if client == 0 and server_round > 3 else 1.0

    played = Federation(api(branches=2), optima(MINORITY)).run(1, 2, 3, 4, tamper=unhappy)
    assert played.home() == dict.fromkeys(MINORITY, 1)
    played.run(6, tamper=unhappy)
    assert played.home() == dict.fromkeys(MINORITY[1:], 1)
    (change,) = played.rounds[-1].branches.changes
    assert (change.client, change.before, change.after) == ("0", 1, 0)


def test_branches_out_of_range_are_refused(api: Any) -> None:
    with pytest.raises(ValueError, match="branches must be a whole number of at least 0"):
        api(branches=-1)
