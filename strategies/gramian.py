"""The Gramian of the client updates, in which all robust weightings are computed.

A weighting depends on the m updates of d coordinates only through their inner products, and, as its
weights sum to one, not on a common shift of the updates. So the server reads the updates once to
accumulate the m x m matrix ``K = Y Y^T`` of shifted rows ``Y = X - 1 c^T``, and everything up to the
final weighted sum costs nothing that grows with d.

There are two ways to it. In double precision, with a shift ``c`` against cancellation where the updates
share a large common part. And for updates of single precision, at half the time, by products of 1024
coordinates in single precision that are added in double, without a shift: their error is 2e-8 of the
updates' squared lengths, a sixtieth of that of one single-precision product. It is used where no square
leaves the range of float32 and the updates differ by more than that error can blur.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arrays import FloatArray
from .updates import Block, ClientUpdates

SUMMED_IN_SINGLE = 1024
"""Coordinates whose products are summed in float32."""

LEAST_SQUARE = 1e-30
"""Mean square of an update's coordinates below which squares may underflow float32."""

LEAST_DIFFERENCE = 1e-3
"""Squared distance between updates, relative to their squared lengths, that needs no shift."""


@dataclass(frozen=True)
class Gramian:
    """Inner products of m shifted updates, in float64.

    Attributes
    ----------
    shifted : ndarray of shape (m, m)
        ``K = Y Y^T`` of the shifted rows ``Y = X - 1 c^T``; what weightings see.
    with_shift : ndarray of shape (m,)
        ``Y c``, to get back to the unshifted rows.
    shift_squared : float
        ``|c|^2``.
    """

    shifted: FloatArray
    with_shift: FloatArray
    shift_squared: float

    @property
    def unshifted(self) -> FloatArray:
        """``X X^T`` of the updates themselves, of shape (m, m)."""
        gramian: FloatArray = (
            self.shifted + self.with_shift[:, None] + self.with_shift[None, :] + self.shift_squared
        )
        return gramian

    def norm_of_sum(self, weights: FloatArray) -> float:
        """Return the Euclidean norm of ``sum_i weights_i x_i`` over the unshifted updates."""
        total = float(weights.sum())
        squared = (
            weights @ self.shifted @ weights
            + 2 * total * float(weights @ self.with_shift)
            + total**2 * self.shift_squared
        )
        return math.sqrt(max(float(squared), 0.0))


def gramian_of(updates: ClientUpdates, block: Block) -> Gramian:
    """Accumulate the Gramian of all clients over a block of coordinates, in double precision.

    The shift of some thousand coordinates is the mean over the clients whose part of it is no longer
    than the median one: it removes what honest clients have in common, and clients of absurd length
    cannot move it.
    """
    m = updates.num_clients
    shifted, with_shift, shift_squared = np.zeros((m, m)), np.zeros(m), 0.0
    for _, columns in updates.read(block, np.float64):
        squares = np.einsum("ij,ij->i", columns, columns)
        shift = columns[squares <= np.median(squares)].mean(axis=0)
        columns -= shift
        shifted += columns @ columns.T
        with_shift += columns @ shift
        shift_squared += float(shift @ shift)
    return Gramian((shifted + shifted.T) / 2, with_shift, shift_squared)


def single_precision_gramian(updates: ClientUpdates) -> tuple[Gramian, NDArray[np.intp]] | None:
    """Accumulate the Gramian of whole updates in single precision, if that is precise enough.

    Returns
    -------
    gramian : Gramian
        Of the clients whose update is finite, without a shift.
    clients : ndarray of int
        Which clients those are.

    None instead where the updates are of double precision, where a square leaves the range of float32,
    or where the updates' common part is so large that their differences would be lost.
    """
    if not updates.is_single_precision:
        return None
    m, d = updates.num_clients, updates.num_coordinates
    products = np.zeros((m, m))
    with np.errstate(over="ignore", invalid="ignore"):
        for _, columns in updates.read(Block(0, d), np.float32):
            for start in range(0, columns.shape[1], SUMMED_IN_SINGLE):
                few = columns[:, start : start + SUMMED_IN_SINGLE]
                products += few @ few.T
    squares = np.diag(products)
    finite = np.isfinite(squares)
    overflown = updates.select(np.flatnonzero(~finite))
    tiny = updates.select(np.flatnonzero(squares < d * LEAST_SQUARE))
    if len(overflown.finite_clients()) or not tiny.are_zero():
        return None
    clients = np.flatnonzero(finite)
    products = products[np.ix_(clients, clients)]
    lengths = squares[clients, None] + squares[None, clients]
    if (
        np.quantile(squared_distances(products) / np.maximum(lengths, np.finfo(float).tiny), 0.2)
        < LEAST_DIFFERENCE
    ):
        return None
    return Gramian(products, np.zeros(len(clients)), 0.0), clients


def whole_gramian(updates: ClientUpdates) -> FloatArray:
    """Return the shifted Gramian of whole updates, all finite, in the precision that they need."""
    single = single_precision_gramian(updates)
    if single is not None and len(single[1]) == updates.num_clients:
        return single[0].shifted
    return gramian_of(updates, Block(0, updates.num_coordinates)).shifted


def weighted_sum(
    updates: ClientUpdates, block: Block, weights: FloatArray, out: NDArray[Any], dtype: DTypeLike
) -> None:
    """Write ``sum_i weights_i x_i`` over a block, computed in a dtype, into the flat vector ``out``.

    Clients of weight zero are not read, so that nothing they sent can reach the result.
    """
    counted = np.flatnonzero(weights)
    factors = weights[counted].astype(dtype)
    for part, columns in updates.select(counted).read(block, dtype):
        np.matmul(factors, columns, out=out[part.start : part.stop], casting="same_kind")


def lengths_of(gramian: FloatArray) -> FloatArray:
    """Return the norms, of shape (m,), of the vectors behind a Gramian that is not shifted."""
    lengths: FloatArray = np.sqrt(np.maximum(np.diag(gramian), 0.0))
    return lengths


def squared_distances(gramian: FloatArray) -> FloatArray:
    """Return the (m, m) squared Euclidean distances between the rows behind a Gramian."""
    squares = np.diag(gramian)
    distances: FloatArray = np.maximum(squares[:, None] + squares[None, :] - 2 * gramian, 0.0)
    np.fill_diagonal(distances, 0.0)
    return distances
