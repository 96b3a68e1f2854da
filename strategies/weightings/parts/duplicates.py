"""Updates that are copies of one another: several clients who speak with one voice.

Honest clients train on data of their own, so each update holds noise of its own, and no two of them
come closer than that noise. Malicious clients who agree on one update (as in "a little is enough",
inner-product manipulation or min-max, and in copying an honest client) have no such distance. What a
group of copies says is heard once, however many repeat it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...gramian import squared_distances
from ...updates import FloatArray

COPY_DISTANCE = 1 / 3
"""Updates are copies where their distance is below this fraction of what is usual between neighbours.

Neighbours' distances vary by less among honest clients: over seven models of their noise (even, a few
strong directions, clusters, heavy tails, uneven lengths) the least of 100 was 0.4 to 0.98 of the usual.
"""


def voices(gramian: FloatArray, num_malicious: int) -> NDArray[np.intp]:
    """Number the groups of copies; an update that has no copy is a group of its own.

    What is usual between neighbours is the edge number ``num_malicious + 1``, by length, of the
    updates' minimum spanning tree. Malicious clients cannot lengthen it: adding an update to a set
    joins at most one component more than there were, so it never makes the k-th shortest edge longer,
    and without the malicious ones that edge is one between honest clients, if there are at least
    ``num_malicious + 2`` of those. Groups are formed by complete linkage, so that no chain of malicious
    updates can tie two honest ones together.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    num_malicious : int
        How many updates may be malicious. If more than that many were copies, honest clients would
        be among them, what is assumed here would not hold, and every update is left a voice; as it is
        where honest clients are too few to tell what is usual among them.

    Returns
    -------
    ndarray of shape (m,)
        The number of each update's group, from 0.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    m = len(gramian)
    alone = np.arange(m)
    if num_malicious < 1 or m < 2 * num_malicious + 2:
        return alone
    condensed = squareform(np.sqrt(squared_distances(gramian)), checks=False)
    edges = np.sort(linkage(condensed, "single")[:, 2])
    usual = edges[min(num_malicious, m - 2)]
    groups = fcluster(linkage(condensed, "complete"), COPY_DISTANCE * usual, "distance") - 1
    repeated = m - (int(groups.max()) + 1)
    return groups.astype(np.intp) if repeated <= num_malicious else alone


@dataclass(frozen=True)
class HeardOnce:
    """Updates of which copies were merged.

    Attributes
    ----------
    gramian : ndarray of shape (v, v)
        Inner products of the v voices, each the mean of its copies.
    to_voices : ndarray of shape (v, m)
        Takes updates to voices; weights of the voices times it are weights of the updates.
    most_malicious : int
        How many of the voices may still be malicious: each copy but one of a group is spent.
    """

    gramian: FloatArray
    to_voices: FloatArray
    most_malicious: int


def heard_once(gramian: FloatArray, num_malicious: int) -> HeardOnce:
    """Merge the copies among m updates of which ``num_malicious`` may be malicious."""
    m = len(gramian)
    groups = voices(gramian, num_malicious)
    v = int(groups.max()) + 1
    if v == m:  # in their own order, which the numbers of the groups need not have
        return HeardOnce(gramian, np.eye(m), num_malicious)
    member: FloatArray = (np.arange(v)[:, None] == groups).astype(np.float64)
    to_voices = member / member.sum(axis=1, keepdims=True)
    return HeardOnce(to_voices @ gramian @ to_voices.T, to_voices, num_malicious - (m - v))
