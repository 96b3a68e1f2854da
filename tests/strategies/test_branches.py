"""Branches of the model: who opens one, who comes back, and that a report moves its own client alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.arrays import FloatArray
from strategies.branch_shares import main_weighting, shares
from strategies.branch_state import MAIN, BranchState, Membership
from strategies.branches import (
    NO_GROUP,
    Branching,
    Judgement,
    judged,
    sent,
    settled,
)
from strategies.weightings import CoalitionFiltering
from strategies.weightings.group_splitting import GroupSplitting

from .made_up_updates import honest

CLIENTS = [f"client {i:02d}" for i in range(20)]
MINORITY, ATTACKERS = CLIENTS[:4], CLIENTS[4:7]
EVEN = np.ones(20)
PATIENT = Branching(patience=2)


def a_round(
    state: BranchState,
    server_round: int,
    *groups: list[str],
    branching: Branching = PATIENT,
    losses: FloatArray = EVEN,
    clients: list[str] = CLIENTS,
) -> BranchState:
    """Play a round after which these groups, of those who trained the main model, are left out."""
    models = sent(branching, state, server_round, clients)
    on_main = [client for client, model in zip(clients, models, strict=True) if model == MAIN]
    numbers = {client: n for n, group in enumerate(groups) for client in group}
    labels = np.array([numbers.get(client, NO_GROUP) for client in on_main], dtype=np.intp)
    judgement = Judgement(labels != NO_GROUP, labels)
    return settled(branching, state, clients, models, judgement, losses)


def opened() -> BranchState:
    """Return the state after two rounds that left the minority out."""
    return a_round(a_round(BranchState(), 1, MINORITY), 2, MINORITY)


def homes(state: BranchState) -> dict[str, int]:
    return {client: state.of(client).home for client in CLIENTS if state.of(client).home != MAIN}


def test_a_group_is_given_a_branch_once_it_was_left_out_for_as_long_as_patience_lasts() -> None:
    once = a_round(BranchState(), 1, MINORITY)
    assert homes(once) == {}
    assert homes(a_round(once, 2, MINORITY)) == dict.fromkeys(MINORITY, 1)
    at_once = a_round(BranchState(), 1, MINORITY, branching=Branching())
    assert homes(at_once) == dict.fromkeys(MINORITY, 1)


def test_once_counted_again_the_rounds_are_counted_anew() -> None:
    state = a_round(a_round(BranchState(), 1, MINORITY), 2)
    assert homes(a_round(state, 3, MINORITY)) == {}


def test_rounds_in_which_a_client_was_away_are_not_counted() -> None:
    state = a_round(BranchState(), 1, MINORITY)
    away = [client for client in CLIENTS if client not in MINORITY]
    state = a_round(state, 2, clients=away, losses=np.ones(len(away)))
    assert homes(a_round(state, 3, MINORITY)) == dict.fromkeys(MINORITY, 1)


def test_a_minority_and_attackers_left_out_at_once_land_in_different_branches() -> None:
    state = a_round(a_round(BranchState(), 1, MINORITY, ATTACKERS), 2, MINORITY, ATTACKERS)
    assert homes(state) == {**dict.fromkeys(MINORITY, 1), **dict.fromkeys(ATTACKERS, 2)}


def after_pairs(rounds: int, *pairs: list[str]) -> BranchState:
    """Return the state after so many rounds that left these pairs out, with the default's patience."""
    state = BranchState()
    for server_round in range(1, rounds + 1):
        state = a_round(state, server_round, *pairs, branching=Branching())
    return state


def test_a_pair_is_given_a_branch_once_it_is_left_out_for_four_times_as_long() -> None:
    assert homes(after_pairs(3, MINORITY[:2])) == {}
    assert homes(after_pairs(4, MINORITY[:2])) == dict.fromkeys(MINORITY[:2], 1)


def test_who_is_left_out_alone_gets_no_branch() -> None:
    assert homes(after_pairs(12, MINORITY[:1])) == {}


def test_a_pair_of_which_one_came_later_waits_for_both() -> None:
    state = a_round(BranchState(), 1, MINORITY[:1], branching=Branching())
    for server_round in (2, 3, 4):
        state = a_round(state, server_round, MINORITY[:2], branching=Branching())
    assert homes(state) == {}
    after = a_round(state, 5, MINORITY[:2], branching=Branching())
    assert homes(after) == dict.fromkeys(MINORITY[:2], 1)


def test_pairs_give_their_branch_up_to_a_larger_group_but_not_to_another_pair() -> None:
    full = after_pairs(4, ATTACKERS[:2], CLIENTS[10:12])
    assert full.branches() == [1, 2]
    other = full
    for server_round in (6, 7, 8, 9):
        other = a_round(other, server_round, CLIENTS[15:17], branching=Branching())
    assert homes(other) == homes(full)
    after = a_round(full, 6, MINORITY, branching=Branching())
    assert homes(after) == {**dict.fromkeys(MINORITY, 3), **dict.fromkeys(CLIENTS[10:12], 2)}


def test_no_more_branches_open_than_are_allowed() -> None:
    one = Branching(number=1)
    state = BranchState()
    for server_round in (1, 2, 3):
        state = a_round(state, server_round, MINORITY, ATTACKERS, branching=one)
    assert homes(state) == dict.fromkeys(MINORITY, 1)


def after_departure(rounds: int, *, back: int | None = None) -> BranchState:
    """Return the state where a minority with the only branch left, and attackers wait for a place."""
    branching = Branching(number=1, visit_every=0, deserted_after=6)
    state = a_round(
        a_round(BranchState(), 1, MINORITY, branching=branching), 2, MINORITY, branching=branching
    )
    staying = [client for client in CLIENTS if client not in MINORITY]
    for number in range(rounds):
        present = staying + MINORITY[:1] * (number == back)
        losses = np.ones(len(present))
        state = a_round(
            state, 3 + number, ATTACKERS, branching=branching, losses=losses, clients=present
        )
    return state


def test_members_that_left_for_good_give_up_their_branch_to_a_group_that_waits() -> None:
    assert homes(after_departure(6)) == dict.fromkeys(MINORITY, 1)
    assert homes(after_departure(7)) == dict.fromkeys(ATTACKERS, 2)
    assert after_departure(7).branches() == [2]


def test_one_member_that_answers_keeps_the_branch_for_all() -> None:
    assert homes(after_departure(9, back=3)) == dict.fromkeys(MINORITY, 1)
    assert homes(after_departure(11, back=3)) == dict.fromkeys(ATTACKERS, 2)


def test_nobody_loses_a_branch_that_nobody_waits_for() -> None:
    away = [client for client in CLIENTS if client not in MINORITY]
    state, branching = opened(), Branching(deserted_after=1)
    for server_round in range(3, 13):
        state = a_round(state, server_round, branching=branching, clients=away, losses=np.ones(16))
    assert homes(state) == dict.fromkeys(MINORITY, 1)


def test_members_train_their_branch_and_visit_the_main_model() -> None:
    state = opened()
    assert sent(Branching(), state, 3, CLIENTS).tolist() == [1] * 4 + [0] * 16
    assert sent(Branching(visit_every=5), state, 5, CLIENTS).tolist() == [0] * 20
    assert sent(Branching(visit_every=0), state, 5, CLIENTS).tolist() == [1] * 4 + [0] * 16


def test_who_counts_in_the_main_model_on_a_visit_is_back() -> None:
    state = a_round(opened(), 5, MINORITY[:2])
    assert homes(state) == dict.fromkeys(MINORITY[:2], 1)
    assert state.of(MINORITY[3]) == Membership(main_loss=1.0)


def test_one_of_a_group_that_counts_by_chance_stays_with_it() -> None:
    assert homes(a_round(opened(), 5, MINORITY[:3])) == dict.fromkeys(MINORITY, 1)


def test_late_ones_join_the_branch_of_visitors_that_they_are_similar_to() -> None:
    late = CLIENTS[10:12]
    state = a_round(a_round(opened(), 3, late), 4, late)
    assert homes(state) == dict.fromkeys(MINORITY, 1)
    assert homes(a_round(state, 5, [*MINORITY, *late])) == dict.fromkeys([*MINORITY, *late], 1)


def test_branches_of_similar_members_become_one() -> None:
    halves = CLIENTS[:3], CLIENTS[3:6]
    state = a_round(a_round(BranchState(), 1, *halves), 2, *halves)
    assert sorted(set(homes(state).values())) == [1, 2]
    assert homes(a_round(state, 5, CLIENTS[:6])) == dict.fromkeys(CLIENTS[:6], 1)


def test_who_is_served_worse_twice_running_goes_back_and_then_waits_longer() -> None:
    state = a_round(opened(), 3)  # the branch's first model is the main one: that loss counts as its
    badly = np.where(np.arange(20) == 0, 1.6, 1.0)
    state = a_round(a_round(state, 4, losses=badly), 6, losses=badly)
    assert homes(state) == dict.fromkeys(MINORITY[1:], 1)
    # In a group again, the one who left needs four rounds where the others need two.
    group = [MINORITY[0], *CLIENTS[10:13]]
    state = a_round(a_round(state, 7, group), 8, group)
    assert homes(state) == {**dict.fromkeys(MINORITY[1:], 1), **dict.fromkeys(CLIENTS[10:13], 2)}


def test_one_bad_round_moves_nobody_and_no_report_neither() -> None:
    state = a_round(opened(), 3)
    worse_once = a_round(a_round(state, 4, losses=3 * EVEN), 6)
    silent = a_round(a_round(state, 4, losses=np.nan * EVEN), 6, losses=np.nan * EVEN)
    assert homes(worse_once) == homes(silent) == dict.fromkeys(MINORITY, 1)


reports = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None)
@given(lies=st.lists(reports, min_size=6, max_size=6), liar=st.integers(0, 19))
def test_what_one_reports_moves_nobody_else(lies: list[float], liar: int) -> None:
    truthful = lying = BranchState()
    for server_round, lie in enumerate(lies, 1):
        told = EVEN.copy()
        told[liar] = lie
        groups = [MINORITY, ATTACKERS] if server_round != 4 else [ATTACKERS]
        truthful = a_round(truthful, server_round, *groups)
        lying = a_round(lying, server_round, *groups, losses=told)
        for client in CLIENTS:
            if client != CLIENTS[liar]:
                assert lying.of(client) == replace(truthful.of(client)), server_round


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(20)))
def test_the_order_of_replies_makes_no_difference(order: list[int]) -> None:
    shuffled = [CLIENTS[i] for i in order]
    state = BranchState()
    for server_round in (1, 2):
        state = a_round(state, server_round, MINORITY, ATTACKERS, clients=shuffled)
    assert homes(state) == {**dict.fromkeys(MINORITY, 1), **dict.fromkeys(ATTACKERS, 2)}


def test_the_state_survives_being_taken_apart() -> None:
    state = a_round(opened(), 3, ATTACKERS, losses=np.linspace(0, 1, 20))
    again = BranchState.from_arrays(state.arrays())
    assert dict(again.members) == dict(state.members)
    assert again.opened == state.opened
    assert BranchState.from_arrays(BranchState().arrays()) == BranchState()


def test_a_judgement_names_who_is_left_out_and_with_whom() -> None:
    rows = honest(20)
    rows[:4, 0] += 2.5
    rows[4:7, 1] += 2.5
    judgement = judged(rows @ rows.T, GroupSplitting(CoalitionFiltering(0.2), 0.2))
    assert judgement.left_out.tolist() == [True] * 7 + [False] * 13
    assert len(set(judgement.groups[:4])) == len(set(judgement.groups[4:7])) == 1
    assert judgement.groups[0] != judgement.groups[4]
    assert (judgement.groups[7:] == NO_GROUP).all()


def training(optima: FloatArray, rounds: int, poison: float = 0.0) -> tuple[FloatArray, list[int]]:
    """Train clients of quadratic losses; return the model that each is given, and their homes.

    The last three members of a branch, if poisoned, send what takes its model far away.
    """
    random = np.random.default_rng(0)
    branching, weighting = Branching(visit_every=6), CoalitionFiltering(0.2)
    state, theta = BranchState(), {MAIN: np.zeros(optima.shape[1])}
    for server_round in range(1, rounds + 1):
        models = sent(branching, state, server_round, CLIENTS)
        received = np.stack([theta[int(model)] for model in models])
        offsets = received - optima
        updates = 0.3 * offsets + 0.05 * random.normal(size=optima.shape)
        updates[4:7][models[4:7] != MAIN] += poison
        following = dict(theta)
        for share in shares(state, CLIENTS, models, weighting):
            rows = updates[share.positions]
            following[share.model] = theta[share.model] - share.weighting(rows @ rows.T) @ rows
        on_main = updates[models == MAIN]
        judgement = judged(on_main @ on_main.T, main_weighting(weighting, 0.2, 20, len(on_main)))
        losses = np.square(offsets).sum(axis=1)
        state = settled(branching, state, CLIENTS, models, judgement, losses)
        theta = {n: following.get(n, following[MAIN]) for n in [MAIN, *state.branches()]}
    home = [state.of(client).home for client in CLIENTS]
    return np.stack([theta[number] for number in home]), home


@pytest.mark.slow
def test_a_minority_reaches_its_own_optimum_and_the_main_model_that_of_the_others() -> None:
    optima = np.zeros((20, 60))
    optima[:, 0] = 1.0
    optima[:4, 1], optima[4:7, 2] = 3.0, 3.0
    given, home = training(optima, 17)
    assert home == [1] * 4 + [2] * 3 + [MAIN] * 13
    assert np.linalg.norm(given - optima, axis=1).max() < 0.5


def test_what_is_sent_on_a_branch_reaches_no_other_model_by_one_bit() -> None:
    optima = np.zeros((20, 60))
    optima[:4, 1], optima[4:7, 2] = 3.0, 3.0
    alone, _ = training(optima, 3)
    poisoned, _ = training(optima, 3, poison=1e6)
    np.testing.assert_array_equal(alone[:4], poisoned[:4])
    np.testing.assert_array_equal(alone[7:], poisoned[7:])
    assert np.abs(alone[4:7] - poisoned[4:7]).max() > 1e4


def test_visitors_are_in_no_aggregate_and_as_many_attackers_are_withstood_as_among_all() -> None:
    weighting = CoalitionFiltering(0.2)
    for models in (np.repeat([1, 0], [4, 16]), np.zeros(20, dtype=np.intp)):
        main, *others = shares(opened(), CLIENTS, models, weighting)
        assert main.positions.tolist() == list(range(4, 20))
        assert main.weighting == GroupSplitting(weighting, 4 / 16)
        assert [share.model for share in others] == ([1] if models.any() else [])


def test_a_client_named_twice_is_refused() -> None:
    judgement = Judgement(np.zeros(2, dtype=bool), np.full(2, NO_GROUP))
    with pytest.raises(ValueError, match="named once"):
        settled(Branching(), BranchState(), ["a", "a"], np.zeros(2, dtype=np.intp), judgement, EVEN[:2])


def test_a_judgement_of_others_is_refused() -> None:
    judgement = Judgement(np.zeros(3, dtype=bool), np.full(3, NO_GROUP))
    with pytest.raises(ValueError, match="judgement must be of the 2 clients"):
        settled(Branching(), BranchState(), ["a", "b"], np.zeros(2, dtype=np.intp), judgement, EVEN[:2])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"number": 0}, "number must"),
        ({"patience": 0}, "patience must"),
        ({"visit_every": 1}, "visit_every must"),
        ({"tolerated_loss": 0.5}, "tolerated_loss must"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(options: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Branching(**options)  # type: ignore[arg-type]
