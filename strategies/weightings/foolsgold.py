"""FoolsGold: clients whose past updates point the same way count little, as sybils' do.

Fung, Yoon, Beschastnikh, "The limitations of federated learning in sybil settings" (RAID 2020),
Algorithm 1. With ``cs`` the cosines of the clients' summed past updates and ``v_i = max_j cs_ij``::

    cs_ij <- cs_ij v_i / v_j             where v_i < v_j: honest clients are pardoned
    a_i = 1 - max_j cs_ij,  a <- a / max a
    a_i <- ln(a_i / (1 - a_i)) + 1/2     cut to between 0 and 1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..updates import Block
from .defence import Defence, Defended, Seen, cosines

PAST = "past."
"""What the names of clients' summed updates begin with, in memory."""

CERTAIN = 0.99
"""What the authors put in the place of 1 before the logarithm."""


@dataclass(frozen=True)
class FoolsGold(Defence):
    """Weights that fall with the largest cosine to anybody else's history.

    The memory is one float32 vector for each client that ever sent an update. Without names of clients,
    as in `aggregate`, each call is a first round. The weights are normalised to the sum one.
    """

    def defend(self, seen: Seen) -> Defended:
        """Return the weights, and the clients' updates summed up to now."""
        if not seen.known.clients:
            return Defended(foolsgold_weights(cosines(seen.gramian)))
        summed, gramian = _with_past(seen)
        memory = {**seen.known.memory, **summed}
        return Defended(foolsgold_weights(cosines(gramian)), memory=memory)


def foolsgold_weights(similarities: FloatArray) -> FloatArray:
    """Return the weights for the cosines of the clients' histories, of shape (m, m)."""
    m = len(similarities)
    if m < 2:
        return np.ones(m)
    others = similarities.copy()
    np.fill_diagonal(others, 0.0)  # the authors take the diagonal's ones away
    largest = others.max(axis=1)
    pardoned = largest[:, None] < largest[None, :]
    ratio = np.divide(largest[:, None], largest[None, :], out=np.ones((m, m)), where=pardoned)
    np.fill_diagonal(ratio, 1.0)
    learning = np.clip(1 - (others * ratio).max(axis=1), 0.0, 1.0)
    if not learning.max() > 1e-12:  # all point the same way: nobody is apart from sybils
        return np.full(m, 1 / m)
    learning /= learning.max()
    learning[learning == 1] = CERTAIN
    with np.errstate(divide="ignore"):
        logits = np.clip(np.log(learning / (1 - learning)) + 0.5, 0.0, 1.0)
    weights: FloatArray = logits / logits.sum()
    return weights


def _with_past(seen: Seen) -> tuple[dict[str, NDArray[Any]], FloatArray]:
    """Return each client's summed updates by its name in memory, and their inner products."""
    known, updates = seen.known, seen.updates
    names = [PAST + client for client in known.clients]
    d = updates.num_coordinates
    summed = np.zeros((len(names), d), dtype=np.float32)
    for i, name in enumerate(names):
        past = known.memory.get(name)
        if past is not None and past.shape == (d,):
            summed[i] = past
    gramian = np.zeros((len(names), len(names)))
    for part, columns in updates.read(Block(0, d), np.float64):
        columns += summed[:, part.start : part.stop]
        summed[:, part.start : part.stop] = columns
        gramian += columns @ columns.T
    return dict(zip(names, summed, strict=True)), gramian
