"""Client updates as the aggregation reads them: some thousand coordinates at a time, never copied.

A server holds the clients' replies, and their updates, the model sent minus the one that came back,
would be as large again. So `ClientUpdates.of_models` computes them where they are read, and holds none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arrays import FloatArray, NDArrays, difference, is_floating, wide_dtype

Updates = NDArray[Any] | Sequence[Sequence[NDArray[Any]]]

COORDINATES_AT_ONCE = 8192
"""Columns read together: 100 clients' worth of them fit a core's share of the cache."""

COMPARED = 1024
"""Coordinates of each array that decide the order in which clients are computed with."""


@dataclass(frozen=True)
class Block:
    """Coordinates ``start`` to ``stop`` of an update whose arrays are flattened and joined."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


class ClientUpdates:
    """The updates of m clients, as flat views on the arrays they came in.

    Parameters
    ----------
    updates : ndarray of shape (m, d), or sequence of m sequences of arrays
        One row, or one list of parameter arrays, per client; any floating dtype. Every client's
        arrays have the same shapes.

    Raises
    ------
    ValueError
        Without clients or coordinates, where shapes differ between clients, or for arrays that do
        not hold floating-point numbers. The message names the client and the array.
    """

    def __init__(self, updates: Updates) -> None:
        self._is_matrix = isinstance(updates, np.ndarray)
        if isinstance(updates, np.ndarray):
            if updates.ndim != 2:
                raise ValueError(f"updates must be an (m, d) array, got shape {updates.shape}")
            clients: list[list[NDArray[Any]]] = [[row] for row in updates]
        else:
            clients = [[np.asarray(array) for array in client] for client in updates]
        if not clients:
            raise ValueError("updates must hold at least one client's update, got none")
        _check_alike(clients)
        self._shapes = [array.shape for array in clients[0]]
        self._dtypes = [np.result_type(*column) for column in zip(*clients, strict=True)]
        self._rows = [[array.reshape(-1) for array in client] for client in clients]
        self._start: NDArrays | None = None
        self._ends = np.cumsum([0, *(row.size for row in self._rows[0])])
        if not self.num_coordinates:
            raise ValueError("updates must hold at least one coordinate, got none")

    @classmethod
    def of_models(cls, start: Sequence[NDArray[Any]], models: Sequence[NDArrays]) -> ClientUpdates:
        """Return the updates ``start - model``, computed in float32 or wider where they are read.

        Parameters
        ----------
        start : sequence of ndarray
            The model that the clients received, floating point.
        models : sequence of m sequences of ndarray
            Theirs, in its shapes.
        """
        updates = cls(models)
        if (shapes := [array.shape for array in start]) != updates._shapes:
            raise ValueError(f"models must have the start's shapes {shapes}, got {updates._shapes}")
        updates._start = [array.reshape(-1) for array in start]
        columns = zip(start, *models, strict=True)
        updates._dtypes = [wide_dtype(*column) for column in columns]
        return updates

    @property
    def num_clients(self) -> int:
        """Number of clients, m."""
        return len(self._rows)

    @property
    def num_coordinates(self) -> int:
        """Number of coordinates of one update, d."""
        return int(self._ends[-1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest dtype that holds every update."""
        return np.result_type(*self._dtypes)

    @property
    def is_single_precision(self) -> bool:
        """Whether float32 holds every update exactly."""
        return all(np.can_cast(dtype, np.float32) for dtype in self._dtypes)

    def select(self, clients: NDArray[np.intp]) -> ClientUpdates:
        """Return the same updates for some clients only, without copying them."""
        chosen = object.__new__(ClientUpdates)
        chosen.__dict__.update(self.__dict__)
        chosen._rows = [self._rows[client] for client in clients]
        return chosen

    def canonical_order(self) -> NDArray[np.intp]:
        """Return an order of the clients that depends on what they sent, not on when it arrived.

        Sums in another order differ in their last digits. Computed in this order, they are the same
        to the last digit however the clients are permuted.
        """
        arrays = range(len(self._shapes))
        starts = [[self._part(row, k, 0, COMPARED).tobytes() for k in arrays] for row in self._rows]

        def compare(i: int, j: int) -> int:
            return (starts[i] > starts[j]) - (starts[i] < starts[j])

        return np.array(sorted(range(self.num_clients), key=cmp_to_key(compare)), dtype=np.intp)

    def blocks(self, block_size: int | None) -> list[Block]:
        """Return the blocks of coordinates that are aggregated on their own.

        Parameters
        ----------
        block_size : int or None
            None: the whole update. Otherwise each array is cut into blocks of ``block_size``
            coordinates, its last one shorter (the layout of the authors' code).
        """
        if block_size is None:
            return [Block(0, self.num_coordinates)]
        return [
            block
            for low, high in zip(self._ends[:-1], self._ends[1:], strict=True)
            for block in _cut(Block(int(low), int(high)), block_size)
        ]

    def read(self, block: Block, dtype: DTypeLike) -> Iterator[tuple[Block, NDArray[Any]]]:
        """Yield (m, n) copies of the next few thousand columns, cut alike for any cut into arrays.

        The array is filled anew in every step: what is to last must be copied.
        """
        buffer = np.empty((self.num_clients, min(len(block), COORDINATES_AT_ONCE)), dtype)
        for part in _cut(block, COORDINATES_AT_ONCE):
            columns = buffer[:, : len(part)]
            for k, low, high in self._arrays_within(part):
                first = self._ends[k]
                into = slice(first + low - part.start, first + high - part.start)
                for i, row in enumerate(self._rows):
                    columns[i, into] = self._part(row, k, low, high)
            yield part, columns

    def finite_clients(self) -> NDArray[np.intp]:
        """Return the clients whose update has a finite float64 norm."""
        squares = np.zeros(self.num_clients)
        with np.errstate(over="ignore", invalid="ignore"):
            for _, columns in self.read(Block(0, self.num_coordinates), np.float64):
                squares += np.einsum("ij,ij->i", columns, columns)
        return np.flatnonzero(np.isfinite(squares))

    def are_zero(self) -> bool:
        """Return whether no coordinate of any of these updates differs from zero."""
        if not self._rows:
            return True
        read = self.read(Block(0, self.num_coordinates), np.float64)
        return not any(columns.any() for _, columns in read)

    def in_their_form(self, flat: FloatArray) -> NDArray[Any] | list[NDArray[Any]]:
        """Return a flat vector in the shapes, dtypes and container of one client's update."""
        arrays = [
            flat[low:high].astype(dtype, copy=False).reshape(shape)
            for low, high, dtype, shape in zip(
                self._ends[:-1], self._ends[1:], self._dtypes, self._shapes, strict=True
            )
        ]
        return arrays[0] if self._is_matrix else arrays

    def _part(self, row: NDArrays, k: int, low: int, high: int) -> NDArray[Any]:
        """Return some coordinates of one array of an update."""
        part = row[k][low:high]
        return part if self._start is None else difference(self._start[k][low:high], part)

    def _arrays_within(self, part: Block) -> Iterator[tuple[int, int, int]]:
        """Yield which arrays a block touches, and between which of their own coordinates."""
        first = int(np.searchsorted(self._ends, part.start, side="right")) - 1
        for k in range(first, len(self._shapes)):
            start, stop = int(self._ends[k]), int(self._ends[k + 1])
            if start >= part.stop:
                return
            low, high = max(part.start, start), min(part.stop, stop)
            if low < high:
                yield k, low - start, high - start


def _check_alike(clients: Sequence[Sequence[NDArray[Any]]]) -> None:
    expected = [array.shape for array in clients[0]]
    for i, client in enumerate(clients):
        found = [array.shape for array in client]
        if found != expected:
            raise ValueError(
                f"updates must have the same shapes: client {i} has {found}, client 0 {expected}"
            )
        for k, array in enumerate(client):
            if not is_floating(array):
                raise ValueError(
                    f"updates must hold floating-point numbers: array {k} of client {i} has "
                    f"dtype {array.dtype}"
                )


def _cut(block: Block, length: int) -> list[Block]:
    lows = range(block.start, block.stop, length)
    return [Block(low, min(low + length, block.stop)) for low in lows]
