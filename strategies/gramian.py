"""The Gramian of the client updates, in which all robust weightings are computed.

A weighting depends on the m updates of d coordinates only through their inner products, and, as its
weights sum to one, not on a common shift of the updates. So the server reads the updates once to
accumulate the m x m matrix ``K = Y Y^T`` of shifted rows ``Y = X - 1 c^T``, and everything up to the
final weighted sum costs nothing that grows with d. The shift ``c`` guards against cancellation where
the updates share a large common part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .updates import Block, ClientUpdates, FloatArray


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

    def norm_of_sum(self, weights: FloatArray) -> float:
        """Return the Euclidean norm of ``sum_i weights_i x_i`` over the unshifted updates."""
        total = float(weights.sum())
        squared = (
            weights @ self.shifted @ weights
            + 2 * total * float(weights @ self.with_shift)
            + total**2 * self.shift_squared
        )
        return math.sqrt(max(float(squared), 0.0))


def gramian_of(updates: ClientUpdates, blocks: Sequence[Block]) -> Gramian:
    """Accumulate the Gramian of all clients over some blocks of coordinates.

    The shift of a block is the mean over the clients whose part of it is no longer than the median
    one: it removes what honest clients have in common, and clients of absurd length cannot move it.
    """
    m = updates.num_clients
    shifted, with_shift, shift_squared = np.zeros((m, m)), np.zeros(m), 0.0
    for _, columns in updates.read(blocks):
        squares = np.einsum("ij,ij->i", columns, columns)
        shift = columns[squares <= np.median(squares)].mean(axis=0)
        columns -= shift
        shifted += columns @ columns.T
        with_shift += columns @ shift
        shift_squared += float(shift @ shift)
    return Gramian((shifted + shifted.T) / 2, with_shift, shift_squared)


def weighted_sum(
    updates: ClientUpdates, blocks: Sequence[Block], weights: FloatArray, out: list[FloatArray]
) -> None:
    """Write ``sum_i weights_i x_i`` over some blocks into the flat vectors ``out``.

    Clients of weight zero are not read, so that nothing they sent can reach the result.
    """
    counted = np.flatnonzero(weights)
    for block, columns in updates.select(counted).read(blocks):
        out[block.array][block.start : block.stop] = weights[counted] @ columns


def squared_distances(gramian: FloatArray) -> FloatArray:
    """Return the (m, m) squared Euclidean distances between the rows behind a Gramian."""
    squares = np.diag(gramian)
    distances: FloatArray = np.maximum(squares[:, None] + squares[None, :] - 2 * gramian, 0.0)
    np.fill_diagonal(distances, 0.0)
    return distances
