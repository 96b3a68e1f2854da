"""Defences that go by more than the updates' differences: by lengths, angles, signs or the past.

A weighting sees a Gramian that is shifted by a common vector. Defences see the updates as they were
sent; they may shorten them, add noise, and remember something until the next round.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, NDArrays
from ..checks import require
from ..gramian import lengths_of
from ..updates import Block, ClientUpdates
from .weighting import Weighting

Memory = Mapping[str, NDArray[Any]]
"""What is carried from round to round, as arrays under names; a checkpoint holds it."""


@dataclass(frozen=True)
class Known:
    """What a server knows beside the updates.

    Attributes
    ----------
    clients : sequence of m str
        Who sent each update; empty where that is not known.
    memory : mapping of str to ndarray
        What the defence returned after the round before.
    model : list of ndarray, optional
        What the clients were sent.
    inside : sequence of int
        Which of its arrays the updates are of.
    """

    clients: Sequence[str] = ()
    memory: Memory = field(default_factory=dict)
    model: NDArrays | None = None
    inside: Sequence[int] = ()

    def among(self, positions: NDArray[np.intp]) -> Known:
        """Return what is known of some of the updates, in this order."""
        return replace(
            self, clients=[self.clients[i] for i in positions.tolist()] if self.clients else ()
        )

    def flat(self, model: NDArrays) -> FloatArray:
        """Return the arrays of a model that the updates are of, as one vector."""
        return np.concatenate([np.asarray(model[k], dtype=np.float64).ravel() for k in self.inside])


@dataclass(frozen=True)
class Seen:
    """What a defence is shown.

    Attributes
    ----------
    gramian : ndarray of shape (m, m), float64
        Inner products of the updates themselves, without a shift.
    updates : ClientUpdates
    known : Known
    """

    gramian: FloatArray
    updates: ClientUpdates
    known: Known = field(default_factory=Known)

    @property
    def lengths(self) -> FloatArray:
        """The updates' Euclidean norms, of shape (m,)."""
        return lengths_of(self.gramian)

    def products_with(self, vector: FloatArray) -> FloatArray:
        """Return each update's inner product with a vector of shape (d,)."""
        products = np.zeros(self.updates.num_clients)
        for part, columns in self.updates.read(Block(0, len(vector)), np.float64):
            products += columns @ vector[part.start : part.stop]
        return products

    def seed(self, seed: int) -> tuple[int, int]:
        """Return a seed that is another one for other updates, and the same for the same."""
        return seed, zlib.crc32(self.gramian.tobytes())


class Noise(NamedTuple):
    """Gaussian noise to add to every coordinate of the mean."""

    deviation: float
    seed: tuple[int, ...]

    def drawn(self, num_coordinates: int) -> FloatArray:
        """Return the noise, of shape (d,)."""
        return self.deviation * np.random.default_rng(self.seed).standard_normal(num_coordinates)


class Defended(NamedTuple):
    """What a defence makes of a round.

    Attributes
    ----------
    weights : ndarray of shape (m,)
        They sum to one.
    factors : ndarray of shape (m,), optional
        What each update is multiplied with beside its weight, at least 0; by default 1.
    noise : Noise, optional
    memory : mapping of str to ndarray
        For the next round.
    """

    weights: FloatArray
    factors: FloatArray | None = None
    noise: Noise | None = None
    memory: Memory = MappingProxyType({})


class Defence(Weighting):
    """Goes by the updates themselves, not only by their differences.

    It is equivariant to a permutation of the clients and to a scaling of the updates, but a common shift
    matters to it. Nothing can wrap it: no mixing, vouching, root data or branches.
    """

    @abstractmethod
    def defend(self, seen: Seen) -> Defended:
        """Return the weights, and what else is to be done with the updates."""

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights of a first round, for some updates of that Gramian."""
        values, vectors = np.linalg.eigh(gramian)
        rows = vectors * np.sqrt(np.maximum(values, 0.0))
        return self.defend(Seen(gramian, ClientUpdates(rows))).weights


def check_wrappable(weighting: Weighting) -> None:
    """Raise ``ValueError`` for a weighting that nothing can wrap."""
    allowed = "one that goes by the updates' differences alone"
    require(not isinstance(weighting, Defence), "weighting", allowed, weighting)


def shortened(lengths: FloatArray, bound: float) -> FloatArray:
    """Return ``min(1, bound / length)`` for each length."""
    factors: FloatArray = bound / np.maximum(lengths, max(bound, np.finfo(np.float64).tiny))
    return factors


def equal_among(chosen: NDArray[np.bool_]) -> FloatArray:
    """Return equal weights for those chosen, and for all where nobody is."""
    counted = chosen if chosen.any() else np.ones_like(chosen)
    weights: FloatArray = counted / counted.sum()
    return weights


def cosines(gramian: FloatArray) -> FloatArray:
    """Return the (m, m) cosines behind an unshifted Gramian; 0 with a vector of length zero."""
    lengths = lengths_of(gramian)
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    found: FloatArray = np.clip(gramian * inverse[:, None] * inverse[None, :], -1.0, 1.0)
    return found
