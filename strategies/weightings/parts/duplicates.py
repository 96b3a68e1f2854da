"""Updates that are duplicates of one another: several clients who send the same.

Honest clients train on data of their own, so each update holds noise of its own, and no two of them
come closer than that noise. Malicious clients who agree on one update (as in "a little is enough",
inner-product manipulation or min-max, and in copying an honest client) have no such distance. A group of
duplicates counts as one update, however many clients send it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...gramian import squared_distances
from .group_means import group_means
from .outliers import far_apart

DUPLICATE_DISTANCE = 1 / 3
"""Updates are duplicates where their distance is below this fraction of what neighbours usually have.

Neighbours' distances vary by less among honest clients: over seven models of their noise (even, a few
strong directions, clusters, heavy tails, uneven lengths) the least of 100 was 0.4 to 0.98 of the usual.
"""


def duplicate_groups(gramian: FloatArray, max_malicious: int) -> NDArray[np.intp]:
    """Number the groups of duplicates; an update that has no duplicate is a group of its own.

    What is usual between neighbours is the edge number ``max_malicious + 1``, by length, of the
    updates' minimum spanning tree. Malicious clients cannot lengthen it: adding an update to a set
    joins at most one component more than there were, so it never makes the k-th shortest edge longer,
    and without the malicious ones that edge is one between honest clients, if there are at least
    ``max_malicious + 2`` of those. Groups are formed by complete linkage, so that no chain of malicious
    updates can tie two honest ones together.

    Updates that repeat others, and those `far_apart`, are malicious if honest clients do as assumed. If
    they are more than ``max_malicious``, some honest clients do not: they have the same few samples, or
    nothing to train. Then the largest groups are formed that leave those far apart their number, and the
    other updates stay on their own. Of ways to choose, that one had the least error, on average and at
    worst, where attackers agree or copy honest clients.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    max_malicious : int
        How many updates may be malicious. Every update stays on its own where honest clients are too few
        to tell what is usual among them.

    Returns
    -------
    ndarray of shape (m,)
        The number of each update's group, from 0.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    m = len(gramian)
    alone = np.arange(m)
    if max_malicious < 1 or m < 2 * max_malicious + 2:
        return alone
    condensed = squareform(np.sqrt(squared_distances(gramian)), checks=False)
    edges = np.sort(linkage(condensed, "single")[:, 2])
    usual = edges[min(max_malicious, m - 2)]
    groups = fcluster(linkage(condensed, "complete"), DUPLICATE_DISTANCE * usual, "distance") - 1
    if int(groups.max()) + 1 == m:
        return alone
    far = far_apart(gramian, max_malicious)
    return _largest(groups.astype(np.intp), far, max_malicious - int(far.sum()))


def _largest(groups: NDArray[np.intp], far: NDArray[np.bool_], max_repeated: int) -> NDArray[np.intp]:
    """Keep the largest groups, of one size all or none, as far as so many updates may repeat others.

    Groups far apart are kept: their updates are counted.
    """
    sizes = np.bincount(groups)
    kept = np.bincount(groups, weights=far) == sizes
    if int((sizes[~kept] - 1).sum()) <= max_repeated:
        return groups
    for size in np.unique(sizes[~kept])[::-1]:
        of_size = ~kept & (sizes == size)
        repeated = int(of_size.sum()) * (int(size) - 1)
        if repeated <= max_repeated:
            kept |= of_size
            max_repeated -= repeated
    on_their_own = len(sizes) + np.arange(len(groups))
    numbers: NDArray[np.intp] = np.unique(
        np.where(kept[groups], groups, on_their_own), return_inverse=True
    )[1]
    return numbers


@dataclass(frozen=True)
class MergedDuplicates:
    """Updates of which duplicates were merged.

    Attributes
    ----------
    gramian : ndarray of shape (n, n)
        Inner products of the n groups' means.
    merging : ndarray of shape (n, m)
        Takes updates to their groups' means; weights of the groups times it are weights of the updates.
    max_malicious : int
        How many of the groups may still be malicious: each duplicate but one of a group is spent.
    """

    gramian: FloatArray
    merging: FloatArray
    max_malicious: int


def merge_duplicates(gramian: FloatArray, max_malicious: int) -> MergedDuplicates:
    """Merge the duplicates among m updates of which ``max_malicious`` may be malicious."""
    m = len(gramian)
    groups = duplicate_groups(gramian, max_malicious)
    n = int(groups.max()) + 1
    if n == m:  # in their own order, which the numbers of the groups need not have
        return MergedDuplicates(gramian, np.eye(m), max_malicious)
    merging = group_means(groups)
    return MergedDuplicates(merging @ gramian @ merging.T, merging, max_malicious - (m - n))
