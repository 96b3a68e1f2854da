"""FLDetector: who sends other updates than its own past ones let expect is malicious.

Zhang, Cao, Jia, Gong, "FLDetector: Defending federated learning against model poisoning attacks via
detecting malicious clients" (KDD 2022), Algorithms 1 to 3. With the server's model w and mean update g::

    H v  = sigma v - [dG, sigma dW] P^-1 [dG^T v; sigma dW^T v]     L-BFGS of the last N rounds
    P    = [[-D, L^T], [L, sigma dW^T dW]]      D, L: diagonal and what is below it of dW^T dG
    d_i  = |x_i + H (w' - w) - x'_i|,  d <- d / sum d               prime: of the next round
    s_i  = mean of its last N distances

Where the gap statistic sees more than one cluster in s, 2-means gives the malicious one, of larger s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..checks import require
from ..updates import Block
from .defence import Defence, Defended, Memory, Seen, equal_among

PAST, DISTANCES = "past.", "distances."
"""What the names of a client's last update and of its distances begin with, in memory."""
MODEL, MEAN, STEPS, TURNS = "model", "mean", "steps", "turns"
"""The last model and mean update, and dW and dG with a row a round."""
REFERENCES = 10
"""How many uniform draws the gap statistic compares with, as in the authors' code."""
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class FLDetector(Defence):
    """Equal weights for all but those whose updates are not what their past lets expect.

    The authors start training anew without whom they find; here it gets no weight while its distances
    stand out. The memory is one float32 vector for each client that ever sent an update, and two for
    each round of the window. Without names of clients or the model, as in `aggregate`, each call is a
    first round: the plain mean.

    Parameters
    ----------
    window : int, default 10
        The authors' N: how many rounds distances and the Hessian go by, after which clients are judged;
        at least 2.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    window: int = 10

    def __post_init__(self) -> None:
        require(self.window >= 2, "window", "at least 2", self.window)

    def defend(self, seen: Seen) -> Defended:
        """Return the weights, and what the next round's updates are expected from."""
        known, m = seen.known, seen.updates.num_clients
        if not known.clients or known.model is None:
            return Defended(equal_among(np.ones(m, dtype=bool)))
        model, past = known.flat(known.model), dict(known.memory)
        expected_turn = self._expected_turn(model, past)
        distances, sent = _distances(seen, past, expected_turn)
        judged = self._remember_distances(known.clients, distances, past)
        malicious = np.zeros(m, dtype=bool)
        if len(judged) > 2:
            malicious[list(judged)] = suspicious(np.array(list(judged.values())))
        q = equal_among(~malicious)
        mean = q @ sent
        self._remember_step(model, mean, past)
        past |= {PAST + name: row for name, row in zip(known.clients, sent, strict=True)}
        past |= {MODEL: model, MEAN: mean}
        return Defended(q, memory=past)

    def _expected_turn(self, model: FloatArray, past: Memory) -> FloatArray:
        """Return by how much everybody's update is expected to change, ``H (w' - w)``."""
        before = past.get(MODEL)
        if before is None or before.shape != model.shape or STEPS not in past:
            return np.zeros_like(model)
        return hessian_product(past[STEPS], past[TURNS], model - before)

    def _remember_distances(
        self, clients: Any, distances: FloatArray, past: Arrays
    ) -> Mapping[int, float]:
        """Add the distances; return the scores, by position, of those with a full window."""
        scores = {}
        for i, name in enumerate(clients):
            if np.isfinite(distances[i]):
                before = past.get(DISTANCES + name, np.empty(0))
                past[DISTANCES + name] = np.append(before, distances[i])[-self.window :]
            own = past.get(DISTANCES + name, np.empty(0))
            if len(own) == self.window:
                scores[i] = float(own.mean())
        return scores

    def _remember_step(self, model: FloatArray, mean: FloatArray, past: Arrays) -> None:
        """Add how model and mean update have changed since the round before."""
        if MODEL not in past or past[MODEL].shape != model.shape:
            return
        for name, change in ((STEPS, model - past[MODEL]), (TURNS, mean - past[MEAN])):
            rows = np.vstack([past[name], change]) if name in past else change[None]
            past[name] = rows[-self.window :].astype(np.float32)


def hessian_product(steps: FloatArray, turns: FloatArray, vector: FloatArray) -> FloatArray:
    """Return the product of L-BFGS's Hessian with a vector.

    Parameters
    ----------
    steps, turns : ndarray of shape (k, d)
        Changes of the model and of the gradient, the latest last.
    vector : ndarray of shape (d,)
    """
    s, y = np.asarray(steps, dtype=np.float64), np.asarray(turns, dtype=np.float64)
    length = float(s[-1] @ s[-1])
    if length == 0:
        return np.zeros_like(vector)
    sigma, crossed = float(y[-1] @ s[-1]) / length, s @ y.T
    below = np.tril(crossed, -1)
    middle = np.block([[-np.diag(np.diag(crossed)), below.T], [below, sigma * s @ s.T]])
    right = np.concatenate([y @ vector, sigma * s @ vector])
    solved = np.linalg.lstsq(middle, right, rcond=None)[0]
    product: FloatArray = sigma * vector - np.concatenate([y, sigma * s]).T @ solved
    return product


def suspicious(scores: FloatArray) -> NDArray[np.bool_]:
    """Return who is in the cluster of larger scores; nobody where there is but one cluster."""
    low, high = float(scores.min()), float(scores.max())
    if not high > low:
        return np.zeros(len(scores), dtype=bool)
    scaled = (scores - low) / (high - low)
    random = np.random.default_rng(0)
    references = np.log([_within(row) for row in random.random((REFERENCES, len(scores)))])
    gaps = references.mean(axis=0) - np.log(_within(scaled))
    error = references[:, 1].std() * np.sqrt(1 + 1 / REFERENCES)
    if gaps[0] >= gaps[1] - error:
        return np.zeros(len(scores), dtype=bool)
    larger: NDArray[np.bool_] = scaled > _best_split(scaled)[0]
    return larger


def _best_split(values: FloatArray) -> tuple[float, float]:
    """Return the largest value of the lower of two clusters, and the squares within both: 2-means."""
    ordered = np.sort(values)
    n = len(ordered)
    squares = [ordered[:k].var() * k + ordered[k:].var() * (n - k) for k in range(1, n)]
    best = int(np.argmin(squares))
    return float(ordered[best]), float(squares[best])


def _within(values: FloatArray) -> tuple[float, float]:
    """Return the sums of squares within one cluster and within the best two."""
    tiny = np.finfo(np.float64).tiny
    return max(float(values.var()) * len(values), tiny), max(_best_split(values)[1], tiny)


def _distances(
    seen: Seen, past: Memory, expected_turn: FloatArray
) -> tuple[FloatArray, NDArray[np.float32]]:
    """Return how far each update is from what was expected, NaN without a past, and all updates.

    The distances sum to one.
    """
    names, d = [PAST + client for client in seen.known.clients], len(expected_turn)
    sent, squares = np.empty((len(names), d), dtype=np.float32), np.zeros(len(names))
    has_past = np.array([name in past and past[name].shape == (d,) for name in names])
    for part, columns in seen.updates.read(Block(0, d), np.float64):
        inside = slice(part.start, part.stop)
        sent[:, inside] = columns
        for i in np.flatnonzero(has_past):
            missed = past[names[i]][inside] + expected_turn[inside] - columns[i]
            squares[i] += float(missed @ missed)
    distances = np.where(has_past, np.sqrt(squares), np.nan)
    total = float(np.nansum(distances))
    if total > 0:
        distances = distances / total
    return distances, sent
