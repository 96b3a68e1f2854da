"""Groups of updates that stand apart together, several at once.

A coalition search that drops one group a round is shielded by another: an honest minority takes the only
slot, and attackers of a backdoor stay. So here all outliers and coalitions of up to 2 f updates are
searched for, and then sorted into groups whose members point the same way from the others' mean. What
stands apart alone, or in a pair, is no group: unlike clients are no reason to look for more than f.

Directions are compared as Spearman (1904) corrects correlations for noise. An update's offset is the
direction of its group plus noise of its own, so two members' cosine is below one, by the noise alone;
over the root of the product of each one's own closest cosine it is about one, and for members of two
groups it is the cosine of the groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from .coalition import most_harmful_coalition
from .least_spread import least_spread
from .outliers import drop_outliers
from .spectrum import centred

SAME_DIRECTION = 0.75
"""Corrected cosine from which on two updates point the same way; between groups it was 0.65 at most."""

LEAST_COSINE = 0.6
"""Uncorrected one that is needed besides.

Of 20 even honest updates the closest pair reached 0.46, and of those that noise had kept out for eight
rounds 0.55; minorities began at 0.75.
"""

SMALLEST_GROUP = 3
"""Fewer cannot be aggregated robustly among themselves, and noise makes pairs: they must last longer."""

MAX_COALITIONS = 3
"""Where there are more, honest clients come in groups, and none is set apart."""

Indices = NDArray[np.intp]


def similar_groups(offsets: FloatArray, smallest: int = SMALLEST_GROUP) -> list[Indices]:
    """Return the groups of offsets that point the same way, each ascending, larger ones first.

    Groups are formed by complete linkage: any two members point the same way.

    Parameters
    ----------
    offsets : ndarray of shape (n, n)
        Inner products of the updates' differences from the others' mean.
    smallest : int, default 3
        Smaller groups are left out.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    n = len(offsets)
    if n < max(smallest, 2):
        return []
    lengths = np.sqrt(np.maximum(np.diag(offsets), np.finfo(np.float64).tiny))
    cosines = offsets / lengths[:, None] / lengths[None, :]
    np.fill_diagonal(cosines, -1.0)
    closest = np.maximum(cosines.max(axis=1), LEAST_COSINE)
    corrected = cosines / np.sqrt(closest[:, None] * closest[None, :])
    apart = np.where(cosines >= LEAST_COSINE, np.maximum(1 - corrected, 0.0), 1.0)
    np.fill_diagonal(apart, 0.0)
    tree = linkage(squareform(apart, checks=False), "complete")
    labels = fcluster(tree, 1 - SAME_DIRECTION, "distance")
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    found = [group for group in groups if len(group) >= smallest]
    return sorted(found, key=lambda group: (-len(group), int(group[0])))


def groups_apart(gramian: FloatArray, f: int) -> list[Indices]:
    """Return the groups of similar updates that stand apart from all others, larger ones first.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    f : int
        How many of them may be malicious. Up to 2 f, and always a minority, are looked at.
    """
    apart = _standing_apart(gramian, f)
    if len(apart) < SMALLEST_GROUP:
        return []
    others = np.ones(len(gramian))
    others[apart] = 0.0
    offsets = centred(gramian, others / others.sum())[np.ix_(apart, apart)]
    return [apart[group] for group in similar_groups(offsets)]


def _standing_apart(gramian: FloatArray, f: int) -> Indices:
    """Return outliers and coalitions, none where coalitions are left beyond 2 f or too many."""
    m = len(gramian)
    most = min(2 * f, (m - 1) // 2)
    left = drop_outliers(gramian, most)
    for number in range(MAX_COALITIONS + 1):
        room = most - (m - len(left))
        size = min(room or f, (len(left) - 1) // 2)
        if size < 1:
            break
        around = gramian[np.ix_(left, left)]
        coalition = most_harmful_coalition(around, size, least_spread(around, 1 / (len(left) - size)))
        if not coalition.harm:
            break
        if not room or number == MAX_COALITIONS:
            return np.empty(0, dtype=np.intp)
        left = np.delete(left, coalition.members)
    return np.setdiff1d(np.arange(m), left)
