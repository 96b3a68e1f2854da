"""Root data: a few samples of the server's own tell which of the left-out updates do good.

FLTrust (Cao, Fang, Liu, Gong, NDSS 2021) has the server train on such samples and trusts clients by
their update's cosine with its own. Here the samples only judge those whom the weighting leaves out:
one comes back, with ``1 / m`` and pulled in to `OUTLIER_DISTANCE` times
the others' median distance from their mean, if the step with it has a loss on the root data that is
lower by more than a margin than the step without it (a rule of this project). Whoever comes back wrongly
moves the mean by no more than that distance over m.

As attackers may shield each other, several groups apart are left out at once (`GroupSplitting`): there
is a way back. It is one for those whose kind of data the server has some of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray, NDArrays, difference, is_floating
from .weightings.informed import Informed, InformedWeighting
from .weightings.parts.outliers import pulled_in
from .weightings.weighting import Weighting

ROOT_DATA = "root data"
"""What `Informed.brought_back_by` says."""

MARGIN = 0.02
"""By which part of the loss an update must lower it to come back."""

RootLoss = Callable[[NDArrays], float]
"""The mean loss of a model on the server's own samples."""


@dataclass(frozen=True, eq=False)
class Amnesty(InformedWeighting):
    """Brings back those left out whose updates lower the loss on root data.

    Parameters
    ----------
    weighting : Weighting
        What leaves them out.
    root_loss : callable
    start : list of ndarray
        The model that the clients started from.
    models : sequence of m lists of ndarray
        Theirs.
    server_learning_rate : float, default 1.0
        What a step is multiplied with.
    margin : float, default 0.02
    """

    weighting: Weighting
    root_loss: RootLoss
    start: NDArrays
    models: Sequence[NDArrays]
    server_learning_rate: float = 1.0
    margin: float = MARGIN

    def among(self, positions: NDArray[np.intp]) -> Amnesty:
        """Return the weighting of some of the updates, in this order."""
        inner = self.weighting
        if isinstance(inner, InformedWeighting):
            inner = inner.among(positions)
        return replace(self, weighting=inner, models=[self.models[i] for i in positions.tolist()])

    def weigh(self, gramian: FloatArray) -> Informed:
        """Return the weights, and whom root data brought back."""
        inner, m = self.weighting, len(gramian)
        if isinstance(inner, InformedWeighting):
            q, back = inner.weigh(gramian)
        else:
            q, back = inner(gramian), np.full(m, "", dtype="<U16")
        out = np.flatnonzero((q < 0.5 / m) & (back == ""))
        if not len(out):
            return Informed(q, back)
        share = pulled_in(gramian, q) / m
        step = self._step(q)
        needed = (1 - self.margin) * self._loss(step)
        added, named = np.zeros(m), back.copy()
        for i in out.tolist():
            pairs = zip(step, self._update(i), strict=True)
            if self._loss([(1 - share[i]) * kept + share[i] * own for kept, own in pairs]) < needed:
                added[i], named[i] = share[i], ROOT_DATA  # not where either loss is no number
        return Informed((1 - added.sum()) * q + added, named)

    def _update(self, i: int) -> NDArrays:
        """Return one client's update: the arrays of the model that hold floats."""
        pairs = zip(self.start, self.models[i], strict=True)
        return [difference(begun, trained) for begun, trained in pairs if is_floating(begun)]

    def _step(self, weights: FloatArray) -> NDArrays:
        """Return the weighted sum of the updates."""
        counting = np.flatnonzero(weights).tolist()
        step = [weights[counting[0]] * array for array in self._update(counting[0])]
        for i in counting[1:]:
            step = [kept + weights[i] * own for kept, own in zip(step, self._update(i), strict=True)]
        return step

    def _loss(self, step: NDArrays) -> float:
        """Return the root loss after a step; arrays not in floats stay."""
        steps = iter(step)
        return self.root_loss(
            [
                np.asarray(array - self.server_learning_rate * next(steps), dtype=array.dtype)
                if is_floating(array)
                else array.copy()
                for array in self.start
            ]
        )
