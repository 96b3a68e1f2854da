"""Vouching in both Flower strategies: who is brought back, who is told, and that claims gain nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strategies.vouching import Vouching

from .one_round import BOTH_APIS, EACH_API, Reply
from .quadratic_clients import ATTACKERS, MINORITY, Federation, flat, nothing, optima
from .test_branches_in_strategies import hostile
from .test_pawbrofl_strategy import assert_same_bits, log

__all__ = ["log"]

NODES = [100, 101]
"""The node ids of the minority's first two clients."""


@pytest.fixture(params=EACH_API)
def api(request: pytest.FixtureRequest) -> Any:
    return request.param


def brought_back(played: Federation) -> set[str]:
    return {one.client for one in played.rounds[-1].clients if one.brought_back_by == "vouching"}


def claim(server_round: int, client: int, reply: Reply) -> None:
    """Claim the partition id of a vouched client."""
    if client == ATTACKERS[0]:
        reply.metrics |= {"partition_id": 0}


def test_a_minority_with_vouched_clients_is_served_by_the_one_model(api: Any, log: list[str]) -> None:
    wanted = optima(MINORITY)
    without = Federation(api(), wanted).run(*range(1, 9))
    kept = Federation(api(vouched=NODES), wanted).run(*range(1, 9))
    apart = [np.linalg.norm(flat(one.model) - wanted[0]) for one in (without, kept)]
    assert apart[1] < apart[0] - 0.3
    assert brought_back(kept) == {"0", "1"}
    last = {one.client: one for one in kept.rounds[-1].clients}
    assert not last["0"].judged_malicious
    assert last["2"].judged_malicious
    assert last["2"].weight == 0
    assert any("left out by the weighting, but kept: 0 (vouching), 1 (vouching)" in line for line in log)


@pytest.mark.slow
def test_both_apis_give_the_same_bits() -> None:
    first, second = (
        Federation(each(vouched=NODES, branches=1), optima(MINORITY, ATTACKERS)).run(*range(1, 6))
        for each in BOTH_APIS
    )
    assert_same_bits(first.model, second.model)


def test_vouching_for_who_counts_anyway_changes_no_bit(api: Any) -> None:
    wanted = optima(MINORITY)
    plain = Federation(api(), wanted).run(1, 2, 3)
    vouched = Federation(api(vouched=[110, 111]), wanted).run(1, 2, 3)
    assert_same_bits(plain.model, vouched.model)


@pytest.mark.slow
def test_in_a_simulation_partition_ids_may_be_vouched_for(api: Any) -> None:
    wanted = optima(MINORITY)
    by_node = Federation(api(vouched=NODES), wanted).run(1, 2, 3)
    by_id = Federation(api(vouched=Vouching([0, 1], by_partition_id=True)), wanted).run(1, 2, 3)
    assert_same_bits(by_node.model, by_id.model)


def test_who_claims_a_vouched_clients_partition_id_gains_nothing(api: Any) -> None:
    wanted = optima(MINORITY, ATTACKERS)

    def model(vouched: Any, tamper: Any = claim) -> Any:
        return flat(Federation(api(vouched=vouched), wanted).run(1, 2, 3, tamper=tamper).model)

    np.testing.assert_allclose(model(NODES), model(NODES, nothing), rtol=0, atol=1e-12)
    contested = model(Vouching([0, 1], by_partition_id=True))
    np.testing.assert_array_equal(contested, model(Vouching([1], by_partition_id=True)))


def test_a_claim_made_after_the_introduction_neither_gains_nor_takes_anything(api: Any) -> None:
    ids = {str(100 + client): client for client in range(20)}
    told = [
        Federation(api(vouched=Vouching([0, 1], by_partition_id=True)), optima(MINORITY))
        for _ in range(2)
    ]
    for played in told:
        played.way.strategy.introduce(ids)
    honest, lying = told[0].run(1), told[1].run(1, tamper=claim)
    np.testing.assert_allclose(flat(honest.model), flat(lying.model), rtol=0, atol=1e-12)


def test_names_that_nobody_or_several_have_are_warned_of(api: Any, log: list[str]) -> None:
    way = api(vouched=Vouching([0, 30], by_partition_id=True))
    way.strategy.introduce({"100": 0, "101": 0, "102": 2})
    assert any("vouched for without effect: 0, 30" in line for line in log)


@pytest.mark.slow
def test_attackers_who_imitate_a_minority_do_not_take_over_its_branch(api: Any) -> None:
    honest, attackers = MINORITY[:1], MINORITY[1:]
    wanted = optima(honest + attackers)

    def distance_in_branch(vouched: Any) -> float:
        played = Federation(api(branches=1, vouched=vouched), wanted)

        def take_over(server_round: int, client: int, reply: Reply) -> None:
            if client in attackers and server_round in (3, 4):  # members of the branch
                reply.model = [array + 1.0 for array in reply.model]  # type: ignore[operator]

        played.run(*range(1, 5), tamper=take_over)
        assert played.home() == dict.fromkeys(honest + attackers, 1)
        return float(np.linalg.norm(flat(played.way.branch_models()[1]) - wanted[0]))

    assert distance_in_branch(()) > 5
    assert distance_in_branch([100]) < 1.5


@pytest.mark.slow
def test_hostile_replies_end_with_finite_models(api: Any) -> None:
    played = Federation(api(vouched=NODES, branches=2), optima(MINORITY, ATTACKERS))
    played.run(*range(1, 8), tamper=hostile)
    for model in (played.model, *played.way.branch_models().values()):
        assert all(np.isfinite(array).all() for array in model)
