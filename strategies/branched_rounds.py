"""Branches of the model over the rounds: which model each node is sent, and what becomes of branches.

What decides it are the pure functions of `strategies.branches`; here are the models and the server
optimisers' states that go with it, and what a checkpoint holds of all three. Nodes are told apart by
their ids; see `strategies.node_identity` for what becomes of that after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import NDArrays, is_floating
from .branch_changes import branch_changes
from .branch_shares import Share, main_weighting, shares
from .branch_state import MAIN, BranchState
from .branches import NO_GROUP, Branching, Judgement, judged, sent, settled
from .checks import is_whole, require
from .diagnostics import BranchDiagnostics
from .epsilon import Epsilon
from .flower_log import FLOWER_LOG
from .gramian import whole_gramian
from .node_identity import NodeIdentity
from .replies.client_replies import ClientReply
from .replies.sent_model import SentModel
from .server_optimizers import State, from_named_arrays, named_arrays
from .updates import ClientUpdates
from .vouching import NOBODY, KeptByVouching, LedByVouched, Vouching
from .weightings import Weighting
from .weightings.group_splitting import GroupSplitting

BRANCH = "branch."
MEMBERS = "branch.members."
"""What names in a checkpoint begin with; those of the main model's optimiser begin with numbers."""


def branching_of(branches: int | Branching | None) -> Branching | None:
    """Return the branching that a strategy's option stands for; None for none."""
    if isinstance(branches, Branching) or not branches:
        return branches or None
    require(is_whole(branches) and branches >= 1, "branches", "a whole number of at least 0", branches)
    return Branching(branches)


class BranchedRounds:
    """The branches of one federation's model.

    Parameters
    ----------
    branching : Branching or None
        None for the main model alone.
    weighting : Weighting
        What weighs the updates of each model.
    epsilon : float or "auto"
        The fraction of malicious clients to withstand.
    vouching : Vouching, optional
        Whom somebody vouches for; by default nobody.
    splits : bool, default False
        Leave out groups that stand apart, several at once, without branches too: there is a way back.

    Attributes
    ----------
    models : dict of int to list of ndarray
        Each branch's model.
    optimizer_states : dict of int to State or None
        What a server optimiser carries on for each model, the main one included.
    """

    def __init__(
        self,
        branching: Branching | None,
        weighting: Weighting,
        epsilon: Epsilon,
        vouching: Vouching = NOBODY,
        *,
        splits: bool = False,
    ) -> None:
        self.splits = splits
        self.branching = branching
        self.vouching = vouching
        self.weighting = weighting
        self.epsilon = epsilon
        self.models: dict[int, NDArrays] = {}
        self.optimizer_states: dict[int, State | None] = {MAIN: None}
        self._state = BranchState()
        self._identity = NodeIdentity()
        self._left_out_since: dict[str, int] = {}
        self._sent: dict[str, int] = {}

    def withstand(self, weighting: Weighting, epsilon: Epsilon) -> None:
        """Weigh updates like this from now on."""
        self.weighting, self.epsilon = weighting, epsilon

    def forget(self) -> None:
        """Forget all branches and optimisers' states, as where a model of another form is trained."""
        self.models, self.optimizer_states = {}, {MAIN: None}
        self._state, self._left_out_since = BranchState(), {}

    def home(self, node: str) -> int:
        """Return the branch that a node is a member of."""
        home = self._state.of(node).home
        return home if home in self.models else MAIN

    def send(self, server_round: int, nodes: Sequence[str]) -> list[int]:
        """Return which model each node is to train in a round, and remember it for their replies."""
        if self.branching is None:
            return [MAIN] * len(nodes)
        self.introduce(dict.fromkeys(nodes, ""))  # they are there
        numbers = sent(self.branching, self._state, server_round, nodes).tolist()
        present = [number if number in self.models else MAIN for number in numbers]
        self._sent = dict(zip(nodes, present, strict=True))
        return present

    def introduce(self, reported: Mapping[str, str]) -> None:
        """Learn what nodes report to be, empty where nothing, before they are sent anything."""
        self._state = self._identity.learn(self._state, reported)

    def unknown_vouched(self, nodes: Sequence[str]) -> list[str]:
        """Return whom somebody vouches for who is none of these nodes, or whose name several claim."""
        return self.vouching.unknown(nodes, self._identity.names())

    def shares(self, usable: Sequence[ClientReply]) -> list[Share]:
        """Return what each model's next step is made of."""
        nodes = [reply.node for reply in usable]
        if self.branching is None:
            everyone = np.arange(len(usable))
            alone = GroupSplitting(self.weighting, self.epsilon) if self.splits else self.weighting
            found = [Share(MAIN, everyone, alone)] if usable else []
        else:
            found = shares(self._state, nodes, self._trained(nodes), self.weighting, self.epsilon)
        vouched = self.vouching.among(nodes, self._identity.names())
        return [self._knowing(share, vouched) for share in found]

    def settle(
        self, server_round: int, main: SentModel, usable: Sequence[ClientReply]
    ) -> tuple[dict[int, bool], BranchDiagnostics]:
        """Decide who is given which branch from the next round on.

        Returns
        -------
        left_out : dict of int to bool
            Whether who was sent the main model looks there like one to leave out, by position.
        changes : BranchDiagnostics
        """
        if self.branching is None or not usable:
            return {}, BranchDiagnostics()
        nodes = [reply.node for reply in usable]
        models = self._trained(nodes)
        try:
            judgement = self._judgement(main, usable, models)
        except Exception:  # noqa: BLE001  # as for steps: clients decide what is computed with
            FLOWER_LOG.error("judging who is left out failed, branches stay as they are", exc_info=True)
            return {}, BranchDiagnostics()
        losses = np.array([reply.loss for reply in usable], dtype=np.float64)
        # Ties between groups are broken by name, and nodes' ids are drawn anew in every federation.
        places = {node: f"#{place:09d}" for place, node in enumerate(nodes)}
        before = self._state
        after = _renamed(
            settled(
                self.branching,
                _renamed(before, places),
                list(places.values()),
                models,
                judgement,
                losses,
            ),
            {place: node for node, place in places.items()},
        )
        on_main = np.flatnonzero(models == MAIN).tolist()
        left_out = dict(zip(on_main, judgement.left_out.tolist(), strict=True))
        for i in on_main:
            if left_out[i]:
                self._left_out_since.setdefault(nodes[i], server_round)
            else:
                self._left_out_since.pop(nodes[i], None)
        self._state = after
        return left_out, branch_changes(before, after, usable, models, self._left_out_since)

    def advance(self, main: NDArrays) -> None:
        """Start branches that opened from the next main model, and forget those without members."""
        there = self._state.branches()
        self.models = {number: self.models.get(number, main) for number in there}
        self.optimizer_states = {n: self.optimizer_states.get(n) for n in (MAIN, *there)}

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything as named arrays."""
        kept: dict[str, NDArray[Any]] = dict(named_arrays(self.optimizer_states[MAIN]))
        if self.branching is None:
            return kept
        members = self._state.arrays()
        nodes, names = members["clients"].tolist(), self._identity.names()
        members["names"] = np.array([names.get(node, "") for node in nodes], dtype=np.str_)
        since = [self._left_out_since.get(node, 0) for node in nodes]
        members["left_out_since"] = np.array(since, dtype=np.int64)
        kept |= {MEMBERS + name: array for name, array in members.items()}
        for number, model in self.models.items():
            kept |= {f"branch.{number}.model.{k}": array for k, array in enumerate(model)}
            named = named_arrays(self.optimizer_states[number])
            kept |= {f"branch.{number}.optimizer.{name}": array for name, array in named.items()}
        return kept

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned."""
        self.forget()
        of_main = {name: array for name, array in state.items() if not name.startswith(BRANCH)}
        self.optimizer_states[MAIN] = from_named_arrays(of_main)
        members = _below(MEMBERS, state)
        if not members or self.branching is None:
            return
        self._state = BranchState.from_arrays(members)
        nodes = members["clients"].tolist()
        self._identity.remember(dict(zip(nodes, members["names"].tolist(), strict=True)))
        since = zip(nodes, members["left_out_since"].tolist(), strict=True)
        self._left_out_since = {node: server_round for node, server_round in since if server_round}
        for number in self._state.branches():
            arrays = _below(f"branch.{number}.model.", state)
            self.models[number] = [arrays[str(k)] for k in range(len(arrays))]
            kept = _below(f"branch.{number}.optimizer.", state)
            self.optimizer_states[number] = from_named_arrays(kept)

    def _knowing(self, share: Share, vouched: NDArray[np.bool_]) -> Share:
        """Return a share whose weighting knows which of its updates are vouched for."""
        members = vouched[share.positions]
        if not members.any():
            return share
        kind = KeptByVouching if share.is_main else LedByVouched
        return replace(share, weighting=kind(share.weighting, tuple(members.tolist()), self.epsilon))

    def _trained(self, nodes: Iterable[str]) -> NDArray[np.intp]:
        return np.array([self._sent.get(node, MAIN) for node in nodes], dtype=np.intp)

    def _judgement(
        self, main: SentModel, usable: Sequence[ClientReply], models: NDArray[np.intp]
    ) -> Judgement:
        """Judge the updates of all who trained the main model, in the order that aggregation has."""
        on_main = np.flatnonzero(models == MAIN)
        if not len(on_main):
            return Judgement(np.zeros(0, dtype=bool), np.zeros(0, dtype=np.intp))
        inside = [
            k
            for k, array in enumerate(main.arrays)
            if is_floating(array) and k not in main.outside_gramian
        ]
        updates = ClientUpdates.of_models(
            [main.arrays[k] for k in inside],
            [[usable[i].arrays[k] for k in inside] for i in on_main.tolist()],
        )
        order = updates.canonical_order()
        weighting = main_weighting(self.weighting, self.epsilon, len(usable), len(on_main))
        found = judged(whole_gramian(updates.select(order)), weighting)
        left_out, groups = np.zeros(len(order), dtype=bool), np.full(len(order), NO_GROUP, dtype=np.intp)
        left_out[order], groups[order] = found.left_out, found.groups
        return Judgement(left_out, groups)


def _renamed(state: BranchState, names: Mapping[str, str]) -> BranchState:
    members = {names.get(client, client): member for client, member in state.members.items()}
    return BranchState(MappingProxyType(members), state.opened)


def _below(prefix: str, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
