"""Vouching: what is known of clients beforehand tells an honest minority from an attack.

A rule of this project; from one round's updates alone the two cannot be told apart. All of it is in the
Gramian of m updates, on top of any weighting:

- whoever is left out together with a vouched client, because their updates are similar, is set aside,
  and the others are weighed anew, against as many malicious ones as before. So is a group that is kept,
  though it stands apart, because there is another one, or because attackers who imitate a minority made
  it too large to leave out. No group shields attackers;
- then the vouched clients of the group come back. They speak for it: they share ``1 / m`` for each of
  its members, for up to f, and up to `REPRESENTED` for one vouched client. Nobody else's update comes
  back, so whoever merely stands near a vouched client changes no bit of what is added;
- they are pulled in to 2.5 times (`pulled_in`) the others' median distance from their mean, as far out
  as a weighting lets any update be. So vouched clients who are left out, even wrongly vouched for, move
  the mean by no more than that times their share.

In a branch of the model (`strategies.branches`) attackers who imitate a minority may outnumber it. There
the vouched members decide: where members split into two, those on the other side are left out; the rest
have half of the weight at most, and are pulled in to where the nearest of them, or the furthest vouched
member, is from the vouched members' mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray
from .checks import require
from .epsilon import Epsilon
from .weightings.group_splitting import withstanding
from .weightings.informed import Informed, InformedWeighting
from .weightings.parts.coalition import most_harmful_coalition
from .weightings.parts.inliers import max_malicious_among
from .weightings.parts.least_spread import least_spread
from .weightings.parts.outliers import distances_from, drawn_in, pulled_in
from .weightings.parts.similar_groups import Indices, groups_apart, similar_groups
from .weightings.parts.spectrum import centred
from .weightings.weighting import Weighting

VOUCHING = "vouching"
"""What `Informed.brought_back_by` says."""

REPRESENTED = 4
"""For at most so many members of its group, itself among them, one vouched client speaks."""

OTHERS_SHARE = 0.5
"""The most that members of a branch who are not vouched for weigh together."""


@dataclass(frozen=True)
class Vouching:
    """Whom somebody vouches for.

    Parameters
    ----------
    clients : collection of str or int
        Node ids, which Flower vouches for; or partition ids, with the next option.
    by_partition_id : bool, default False
        They are partition ids as nodes report them, which anybody can claim: for simulations, where node
        ids are drawn at random. Where several nodes claim one, nobody is vouched for by it.
    """

    clients: Collection[str | int]
    by_partition_id: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.clients, str):
            raise ValueError(f"vouched must be a collection of node ids, got the text {self.clients!r}")
        names = frozenset(str(client).strip() for client in self.clients)
        require("" not in names, "vouched", "names that are not empty", sorted(names))
        object.__setattr__(self, "clients", names)

    def among(self, nodes: Sequence[str], partition_ids: Mapping[str, str]) -> NDArray[np.bool_]:
        """Return which nodes are vouched for.

        Parameters
        ----------
        nodes : sequence of str
        partition_ids : mapping of str to str
            Of nodes that report one and are alone in that.
        """
        return np.array([n in self.clients for n in self._names(nodes, partition_ids)], dtype=bool)

    def unknown(self, nodes: Sequence[str], partition_ids: Mapping[str, str]) -> list[str]:
        """Return the vouched clients that are none of these nodes."""
        known = set(self._names(nodes, partition_ids))
        return sorted(str(client) for client in self.clients if client not in known)

    def _names(self, nodes: Sequence[str], partition_ids: Mapping[str, str]) -> list[str]:
        """Return the names by which nodes are vouched for, empty where they have none."""
        return [partition_ids.get(n, "") for n in nodes] if self.by_partition_id else list(nodes)


NOBODY = Vouching(())


def vouching_of(vouched: Collection[str | int] | Vouching) -> Vouching:
    """Return the vouching that a strategy's option stands for."""
    return vouched if isinstance(vouched, Vouching) else Vouching(vouched)


@dataclass(frozen=True)
class VouchedWeighting(InformedWeighting):
    """A weighting of updates of which some are known to be vouched for.

    Parameters
    ----------
    weighting : Weighting
        What weighs them without that knowledge.
    vouched : tuple of bool
        Whether each update is vouched for, in the order of the Gramian's rows.
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand.
    """

    weighting: Weighting
    vouched: tuple[bool, ...]
    epsilon: Epsilon = 0.2

    def among(self, positions: NDArray[np.intp]) -> Self:
        """Return the weighting of some of the updates, in this order."""
        return replace(self, vouched=tuple(self.vouched[i] for i in positions.tolist()))


class KeptByVouching(VouchedWeighting):
    """For the main model: groups that hold vouched clients are kept, by these alone."""

    def weigh(self, gramian: FloatArray) -> Informed:
        """Return the weights, and whom vouching brought back."""
        m, vouched = len(gramian), np.array(self.vouched)
        f = max_malicious_among(gramian, self.epsilon)
        q, rest, groups = self.weighting(gramian), np.arange(m), list[Indices]()
        found = _shielding(vouched, gramian, q, f)
        while found := found or _left_out_with(vouched, gramian, q, rest):
            left = np.setdiff1d(rest, np.concatenate(found))
            if 2 * len(left) <= m:
                break
            groups, rest, q = groups + found, left, np.zeros(m)
            q[rest] = withstanding(self.weighting, f, len(rest))(gramian[np.ix_(rest, rest)])
            found = []
        added = np.zeros(m)
        for group in groups:
            speakers = group[vouched[group]]
            spoken_for = min(len(group), REPRESENTED * len(speakers), max(f, len(speakers)))
            added[speakers] = spoken_for / (len(speakers) * m)
        added *= pulled_in(gramian, q)
        return Informed((1 - added.sum()) * q + added, _named(added > 0))


class LedByVouched(VouchedWeighting):
    """For a branch of the model: its vouched members decide."""

    def weigh(self, gramian: FloatArray) -> Informed:
        """Return the weights, and whom vouching brought back."""
        vouched, q = np.array(self.vouched), np.zeros(len(gramian))
        mean, side = vouched / vouched.sum(), _vouched_side(gramian, vouched)
        q[side] = self.weighting(gramian[np.ix_(side, side)])
        left_out = vouched & (q < 0.5 / len(side))
        theirs = np.where(vouched, 0.0, q)
        if 2 * left_out.sum() > vouched.sum():  # what the weighting kept is not theirs
            theirs[:] = 0.0
        if theirs.any():
            distances = distances_from(gramian, mean)
            reach = max(float(distances[vouched].max()), float(distances[~vouched].min()))
            theirs *= drawn_in(distances, reach) * min(1.0, OTHERS_SHARE / float(theirs.sum()))
        return Informed(theirs + (1 - theirs.sum()) * mean, _named(left_out))


def _shielding(vouched: NDArray[np.bool_], gramian: FloatArray, q: FloatArray, f: int) -> list[Indices]:
    """Return groups apart that hold vouched clients and because of which attackers may be kept.

    Those that are too large to be left out, and any where q keeps another group that stands apart.
    """
    apart = groups_apart(gramian, f)
    others_kept = any(q[group].any() for group in apart if not vouched[group].any())
    return [g for g in apart if vouched[g].any() and (others_kept or len(g) > f)]


def _vouched_side(gramian: FloatArray, vouched: NDArray[np.bool_]) -> Indices:
    """Return who is left where members split into two: the side that most vouched ones are on."""
    m = len(gramian)
    one = most_harmful_coalition(gramian, m - 2, least_spread(gramian, 2 / m)).members
    other = np.setdiff1d(np.arange(m), one)
    return one if vouched[one].sum() > vouched[other].sum() else other


def _left_out_with(
    vouched: NDArray[np.bool_], gramian: FloatArray, q: FloatArray, among: Indices
) -> list[Indices]:
    """Return the groups of similar updates that q leaves out and that hold vouched ones."""
    out = among[q[among] < 0.5 / len(among)]
    if not vouched[out].any():
        return []
    offsets = centred(gramian, q)[np.ix_(out, out)]
    groups = similar_groups(offsets, smallest=1) if len(out) > 1 else [np.zeros(1, dtype=np.intp)]
    return [out[group] for group in groups if vouched[out[group]].any()]


def _named(back: NDArray[np.bool_]) -> NDArray[np.str_]:
    return np.where(back, VOUCHING, "").astype("<U16")
