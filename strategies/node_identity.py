"""Whose a remembered membership is: a node's, by its id, which Flower vouches for.

What a client reports of itself, its partition id, is a claim that anybody can make; so within a
federation no claim moves a membership. Only after a restart, where a federation without authenticated
SuperNodes draws node ids anew, are claims the only way from a node to what a checkpoint remembers:

- a node that the checkpoint knows by its id has what is remembered under it, whatever anyone claims;
- a remembered client whose node is not there is the one unknown node that reports its partition id.
  Where several do, it is none of them, and whoever had been taken for it before no longer is.

So a liar takes nothing from a node that keeps its id. Where ids are drawn anew it can hold an absent
client's place until that client reports, and can have it forgotten by contesting it: then that client
starts anew in the main model. A place is no more than a say in a branch, never in the main model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from .branch_state import BranchState


class NodeIdentity:
    """What nodes call themselves, and which of them are the ones that a checkpoint remembers."""

    def __init__(self) -> None:
        self._claims: dict[str, str] = {}
        self._seen: set[str] = set()
        self._saved: dict[str, str] = {}
        self._holders: dict[str, str] = {}

    def remember(self, names: Mapping[str, str]) -> None:
        """Take over a checkpoint's: by node, the id that it reported and no other did."""
        self._claims, self._seen = {}, set()
        self._saved = {name: node for node, name in names.items() if name}
        self._holders = dict(self._saved)

    def learn(self, state: BranchState, reported: Mapping[str, str]) -> BranchState:
        """Take note of nodes that are there; return the state under the ids that they have now.

        Parameters
        ----------
        state : BranchState
            By node id.
        reported : mapping of str to str
            By node id, what it reports; empty where it reports nothing. What counts is a node's first
            report.
        """
        self._seen.update(reported)
        for node, name in reported.items():
            if name:
                self._claims.setdefault(node, name)
        members = dict(state.members)
        claimants = self._unknown_claimants()
        for name, saved in self._saved.items():
            claiming = claimants.get(name, [])
            alone = saved not in self._seen and len(claiming) == 1
            rightful = claiming[0] if alone else saved
            holder = self._holders[name]
            if rightful != holder:
                self._holders[name] = rightful
                membership = members.pop(holder, None)
                if membership is not None:
                    members[rightful] = membership
        return BranchState(MappingProxyType(members), state.opened)

    def names(self) -> dict[str, str]:
        """Return, by node, the id that it and no other reports, for a checkpoint."""
        reported = {holder: name for name, holder in self._holders.items()} | self._claims
        claims = Counter(reported.values())
        return {node: name for node, name in reported.items() if claims[name] == 1}

    def _unknown_claimants(self) -> dict[str, list[str]]:
        known = set(self._saved.values())
        claimants: dict[str, list[str]] = {}
        for node, name in self._claims.items():
            if node not in known:
                claimants.setdefault(name, []).append(node)
        return claimants
