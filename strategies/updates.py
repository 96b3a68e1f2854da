"""Client updates as the aggregation reads them: array by array, block by block, never copied whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Updates = NDArray[Any] | Sequence[Sequence[NDArray[Any]]]

COORDINATES_AT_ONCE = 4096
"""Columns converted to float64 together: 100 clients' worth of them fit a core's cache."""


@dataclass(frozen=True)
class Block:
    """Coordinates ``start`` to ``stop`` of the flattened parameter array number ``array``."""

    array: int
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
        self._sizes = [row.size for row in self._rows[0]]
        if not sum(self._sizes):
            raise ValueError("updates must hold at least one coordinate, got none")

    @property
    def num_clients(self) -> int:
        """Number of clients, m."""
        return len(self._rows)

    @property
    def num_coordinates(self) -> int:
        """Number of coordinates of one update, d."""
        return sum(self._sizes)

    def select(self, clients: NDArray[np.intp]) -> ClientUpdates:
        """Return the same updates for some clients only, without copying them."""
        chosen = object.__new__(ClientUpdates)
        chosen.__dict__.update(self.__dict__)
        chosen._rows = [self._rows[client] for client in clients]
        return chosen

    def blocks(self, block_size: int | None) -> list[list[Block]]:
        """Group the coordinates that are aggregated together.

        Parameters
        ----------
        block_size : int or None
            None: one group of all arrays. Otherwise each array is cut into groups of ``block_size``
            coordinates of its own, the last one shorter (the layout of the authors' code).
        """
        if block_size is None:
            return [[Block(k, 0, size) for k, size in enumerate(self._sizes)]]
        return [[block] for k, size in enumerate(self._sizes) for block in _cut(k, 0, size, block_size)]

    def read(self, blocks: Sequence[Block]) -> Iterator[tuple[Block, FloatArray]]:
        """Yield (m, n) float64 copies of a few thousand columns at a time."""
        for whole in blocks:
            for block in _cut(whole.array, whole.start, whole.stop, COORDINATES_AT_ONCE):
                columns = np.empty((self.num_clients, len(block)))
                for i, row in enumerate(self._rows):
                    columns[i] = row[block.array][block.start : block.stop]
                yield block, columns

    def finite_clients(self) -> NDArray[np.intp]:
        """Return the clients whose update has a finite float64 norm."""
        with np.errstate(over="ignore", invalid="ignore"):
            squares = [sum(_squared_norm(array) for array in row) for row in self._rows]
        return np.flatnonzero(np.isfinite(squares))

    def empty_flat(self) -> list[FloatArray]:
        """Return zeroed float64 vectors, one for each parameter array, to write a result into."""
        return [np.zeros(size) for size in self._sizes]

    def in_their_form(self, flat: Sequence[FloatArray]) -> NDArray[Any] | list[NDArray[Any]]:
        """Return flat vectors in the shapes, dtypes and container of one client's update."""
        arrays = [
            vector.astype(dtype).reshape(shape)
            for vector, dtype, shape in zip(flat, self._dtypes, self._shapes, strict=True)
        ]
        return arrays[0] if self._is_matrix else arrays


def _check_alike(clients: Sequence[Sequence[NDArray[Any]]]) -> None:
    expected = [array.shape for array in clients[0]]
    for i, client in enumerate(clients):
        found = [array.shape for array in client]
        if found != expected:
            raise ValueError(
                f"updates must have the same shapes: client {i} has {found}, client 0 {expected}"
            )
        for k, array in enumerate(client):
            if not np.issubdtype(array.dtype, np.floating):
                raise ValueError(
                    f"updates must hold floating-point numbers: array {k} of client {i} has "
                    f"dtype {array.dtype}"
                )


def _cut(array: int, start: int, stop: int, length: int) -> list[Block]:
    return [Block(array, low, min(low + length, stop)) for low in range(start, stop, length)]


def _squared_norm(array: NDArray[Any]) -> float:
    fast = float(np.dot(array, array))
    if np.isfinite(fast):
        return fast
    wide = array.astype(np.float64)  # float32 squares overflow at 1e19 already
    return float(np.dot(wide, wide))
