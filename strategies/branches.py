"""Branches of the model: a group that is left out is given a model of its own.

From one round's updates an honest minority cannot be told from a backdoor. With branches that need not
be decided: the group goes on from the global model among itself, where attackers harm nobody else and
an honest minority is served. Clustered federated learning (Sattler, Mueller, Samek 2020) splits so by
the updates' cosines; IFCA (Ghosh et al., NeurIPS 2020) has all clients choose among all models by loss.

Pure functions over a small state, for a server that every round

1. asks `sent` which model each client trains;
2. aggregates what `branch_shares.shares` says, for each model the updates of its members; those who
   only visit the main model are in no aggregate;
3. judges all who trained the main model, members and visitors, by one weighting (`judged`);
4. asks `settled` for the next state, and starts the branches opened there from the new main model.

What protects the main model: its aggregate holds its members alone, weighed as if there were no
branches, for as many malicious ones among them as among all (`weightings.group_splitting.withstanding`).
What a client reports of its own loss decides where that client itself trains next, and nobody else.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray
from .branch_state import MAIN, BranchState, Membership
from .checks import require
from .weightings.parts.similar_groups import SMALLEST_GROUP, similar_groups
from .weightings.parts.spectrum import centred
from .weightings.weighting import Weighting

NO_GROUP = -1


@dataclass(frozen=True)
class Branching:
    """When branches open, and how clients come back.

    Parameters
    ----------
    number : int, default 2
        The most branches there may be beside the main model; at least 1. A group that finds none free
        waits, and a pair gives its own up to a larger group.
    patience : int, default 1
        Left out of the main model in so many rounds running, a group is given a branch, a pair in four
        times as many; at least 1. Whoever waits drifts away from the model. It doubles for a client each
        time that its own loss made it leave a branch.
    visit_every : int, default 5
        In every so-manieth round the branches' members train the main model, to see whether they would
        count there; at least 2, or 0 for never.
    tolerated_loss : float, default 1.5
        A client whose loss under its branch is more than so many times that under the main model, twice
        running, goes back; at least 1.
    deserted_after : int, default 20
        A branch of whose members none answered for more than so many rounds gives up its place to a
        group that waits for one; at least 1. Members that come back later are newcomers.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    number: int = 2
    patience: int = 1
    visit_every: int = 5
    tolerated_loss: float = 1.5
    deserted_after: int = 20

    def __post_init__(self) -> None:
        require(self.number >= 1, "number", "at least 1", self.number)
        require(self.patience >= 1, "patience", "at least 1", self.patience)
        visits = self.visit_every == 0 or self.visit_every >= 2
        require(visits, "visit_every", "0 or at least 2", self.visit_every)
        tolerated = 1 <= self.tolerated_loss < math.inf
        require(tolerated, "tolerated_loss", "at least 1 and finite", self.tolerated_loss)
        require(self.deserted_after >= 1, "deserted_after", "at least 1", self.deserted_after)


@dataclass(frozen=True)
class Judgement:
    """How those who trained the main model look to a weighting.

    Attributes
    ----------
    left_out : ndarray of bool
        Whether each of them got no weight.
    groups : ndarray of int
        The number of the group of similar updates that it was left out with, `NO_GROUP` if none.
    """

    left_out: NDArray[np.bool_]
    groups: NDArray[np.intp]


def judged(gramian: FloatArray, weighting: Weighting) -> Judgement:
    """Judge updates of one model, without aggregating them.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    weighting : Weighting
        From `branch_shares.main_weighting`, so that attackers and a minority are seen at once.
    """
    q = weighting(gramian)
    out = np.flatnonzero(q == 0)
    groups = np.full(len(q), NO_GROUP, dtype=np.intp)
    for number, members in enumerate(similar_groups(centred(gramian, q)[np.ix_(out, out)], smallest=1)):
        groups[out[members]] = number
    return Judgement(q == 0, groups)


def sent(
    branching: Branching, state: BranchState, server_round: int, clients: Sequence[str]
) -> NDArray[np.intp]:
    """Return the number of the model that each client trains in a round, numbered from 1."""
    if branching.visit_every and server_round % branching.visit_every == 0:
        return np.full(len(clients), MAIN, dtype=np.intp)
    return np.array([state.of(client).home for client in clients], dtype=np.intp)


def settled(
    branching: Branching,
    state: BranchState,
    clients: Sequence[str],
    models: NDArray[np.intp],
    judgement: Judgement,
    losses: FloatArray,
) -> BranchState:
    """Return the state after a round.

    A branch whose number was not there before is to start from the main model of the next round; one
    that has no members any more is to be forgotten.

    Parameters
    ----------
    branching, state : Branching, BranchState
    clients : sequence of m str
        Those whose updates were usable, each once, under names that nobody else can take.
    models : ndarray of shape (m,)
        The model that each of them was sent, from `sent`.
    judgement : Judgement
        Of those who were sent the main model, in this order.
    losses : ndarray of shape (m,)
        Each one's loss under the model that it was sent; NaN where it did not say.

    Raises
    ------
    ValueError
        For a client named twice, or a judgement of another number of clients.
    """
    if len(set(clients)) < len(clients):
        raise ValueError("clients must be named once each")
    on_main = np.flatnonzero(models == MAIN)
    if len(judgement.left_out) != len(on_main):
        raise ValueError(
            f"judgement must be of the {len(on_main)} clients that were sent the main model, "
            f"got one of {len(judgement.left_out)}"
        )
    members = {c: replace(m, away=m.away + (m.home != MAIN)) for c, m in state.members.items()}
    for client, model, loss in zip(clients, models, losses, strict=True):
        if model != MAIN:
            member = replace(state.of(client), away=0)
            members[client] = _after_branch(branching, member, float(loss))
    staying = _staying([state.of(clients[i]).home for i in on_main.tolist()], judgement)
    for i, left_out in zip(on_main.tolist(), judgement.left_out, strict=True):
        member = replace(state.of(clients[i]), away=0)
        away = bool(left_out) or member.home in staying
        members[clients[i]] = _after_main(member, away, float(losses[i]))
    opened = state.opened
    live = set(state.branches())
    for group in _groups([clients[i] for i in on_main.tolist()], judgement):
        homes = Counter(members[client].home for client in group)
        ready = [client for client in group if _is_ready(branching, members[client])]
        branches = [home for home in homes if home != MAIN]
        if branches:
            joined = min(branches, key=lambda home: (-homes[home], home))
            moving = [c for c in group if members[c].home not in (MAIN, joined)] + ready
            members.update({client: replace(members[client], home=joined) for client in moving})
            continue
        if len(ready) < SMALLEST_GROUP and not _is_lasting_pair(branching, [members[c] for c in ready]):
            continue
        if len(live) >= branching.number and (given_up := _given_up(branching, members, len(ready))):
            live.remove(given_up)
            members = {c: member for c, member in members.items() if member.home != given_up}
        if len(live) < branching.number:
            opened += 1
            live.add(opened)
            # Unknown, so that the first loss under the branch, which starts as the main model, counts.
            begun = Membership(home=opened)
            members.update({c: replace(begun, exits=members[c].exits) for c in ready})
    return BranchState(MappingProxyType(members), opened)


def _given_up(branching: Branching, members: Mapping[str, Membership], waiting: int) -> int | None:
    """Return the branch whose place goes to a group of so many that waits for one.

    The one whose members have all been away for longest, if for long enough, else that of a pair, which
    yields to larger groups: two pairs of attackers must not keep a minority waiting.
    """
    away: dict[int, int] = {}
    for member in members.values():
        if member.home != MAIN:
            away[member.home] = min(member.away, away.get(member.home, member.away))
    longest = max(away, key=lambda home: (away[home], -home), default=MAIN)
    if longest != MAIN and away[longest] > branching.deserted_after:
        return longest
    sizes = Counter(member.home for member in members.values() if member.home != MAIN)
    pairs = [home for home, size in sizes.items() if size < SMALLEST_GROUP <= waiting]
    return min(pairs, key=lambda home: (sizes[home], home), default=None)


def _staying(homes: Sequence[int], judgement: Judgement) -> set[int]:
    """Return the branches of which most visitors were left out of the main model.

    Of a group that differs, one may count by chance; alone in the main model it would be lost.
    """
    out = Counter(h for h, left_out in zip(homes, judgement.left_out, strict=True) if left_out)
    return {home for home, number in Counter(homes).items() if home != MAIN and 2 * out[home] > number}


def _after_main(member: Membership, left_out: bool, loss: float) -> Membership:
    """Return a client's membership after it trained the main model: who counts there is at home."""
    if not left_out:
        return replace(member, home=MAIN, left_out=0, main_loss=loss, worse=0)
    rounds = member.left_out + 1 if member.home == MAIN else member.left_out
    return replace(member, left_out=rounds, main_loss=loss)


def _after_branch(branching: Branching, member: Membership, loss: float) -> Membership:
    """Return a client's membership after it trained its branch: who is served badly goes back."""
    if math.isnan(member.main_loss):
        return replace(member, main_loss=loss)
    worse = member.worse + 1 if loss > branching.tolerated_loss * abs(member.main_loss) else 0
    if worse >= 2:
        return replace(member, home=MAIN, left_out=0, worse=0, exits=member.exits + 1)
    return replace(member, worse=worse)


def _is_ready(branching: Branching, member: Membership, times: int = 1) -> bool:
    needed = times * branching.patience * 2 ** min(member.exits, 30)
    return member.home == MAIN and member.left_out >= needed


def _is_lasting_pair(branching: Branching, group: Sequence[Membership]) -> bool:
    """Whether two are left out together for four times as long as a group: noise makes pairs."""
    return len(group) == 2 and all(_is_ready(branching, member, times=4) for member in group)


def _groups(clients: Sequence[str], judgement: Judgement) -> list[list[str]]:
    """Return the clients of each group, larger groups first, in an order that names alone decide."""
    numbers = np.unique(judgement.groups[judgement.groups != NO_GROUP])
    groups = [sorted(clients[int(i)] for i in np.flatnonzero(judgement.groups == n)) for n in numbers]
    return sorted(groups, key=lambda group: (-len(group), group))
