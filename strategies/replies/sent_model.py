"""The global model as it was sent to the clients, which their replies are measured against."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import NDArrays, is_floating
from .serialized_arrays import deserialize_array, dtype_on_the_wire, serialize_array


@dataclass(frozen=True)
class SentModel:
    """A global model on its way.

    Attributes
    ----------
    arrays : list of ndarray
        Its arrays, with bfloat16 as float32.
    dtypes : list of dtype
        What they are sent as.
    outside_gramian : frozenset of int
        Which of them take no part in finding the robust weights, though they are floating point.
    sent_at : float
        When, in the seconds of ``time.perf_counter``.
    names : list of str
        What its arrays are called in the log: their names, or positions where they have none.
    """

    arrays: NDArrays
    dtypes: list[np.dtype[Any]]
    outside_gramian: frozenset[int]
    sent_at: float
    names: list[str]

    @classmethod
    def now(
        cls,
        tensors: Iterable[bytes],
        names: Sequence[str] | None,
        not_in_gramian: Sequence[int | str],
    ) -> SentModel:
        """Return the model that these serialized arrays make up, sent at this moment.

        Raises
        ------
        ValueError
            As `outside_gramian`.
        """
        sent = list(tensors)
        arrays = [deserialize_array(tensor) for tensor in sent]
        outside = outside_gramian(arrays, names, not_in_gramian)
        dtypes = [dtype_on_the_wire(tensor) for tensor in sent]
        called = [str(k) for k in range(len(arrays))] if names is None else list(names)
        return cls(arrays, dtypes, outside, time.perf_counter(), called)

    def has_form_of(self, other: SentModel) -> bool:
        """Return whether both models have arrays of the same shapes, in the same part of the Gramian."""
        shapes = [array.shape for array in self.arrays]
        return (
            shapes == [array.shape for array in other.arrays]
            and self.outside_gramian == other.outside_gramian
        )

    def as_received(self, arrays: Sequence[NDArray[Any]]) -> NDArrays:
        """Return another model of the same form as clients would read it: rounded to what is sent."""
        return [deserialize_array(tensor) for tensor in self.serialize(arrays)]

    def serialize(self, arrays: Sequence[NDArray[Any]]) -> list[bytes]:
        """Serialize another model of the same form as this one was."""
        return [serialize_array(array, dtype) for array, dtype in zip(arrays, self.dtypes, strict=True)]


def outside_gramian(
    model: Sequence[NDArray[Any]],
    names: Sequence[str] | None,
    not_in_gramian: Sequence[int | str],
) -> frozenset[int]:
    """Return the positions of the arrays that a user leaves out of the Gramian.

    Parameters
    ----------
    model : sequence of ndarray
        The global model.
    names : sequence of str, or None
        Its arrays' names, where Flower's API has them.
    not_in_gramian : sequence of int or str
        Positions, or patterns for names with ``*``, ``?`` and ``[...]``.

    Raises
    ------
    ValueError
        For a position or pattern without an array, a pattern where arrays have no names, or where no
        floating-point array is left.
    """
    outside = set[int]()
    for item in not_in_gramian:
        if isinstance(item, str) and names is None:
            raise ValueError(
                f"not_in_gramian must hold positions of arrays, got {item!r}: aggregate_fit projects "
                "send arrays without names"
            )
        if isinstance(item, str):
            found = {k for k, name in enumerate(names or ()) if fnmatchcase(name, item)}
        else:
            found = {item} & set(range(len(model)))
        if not found:
            known = f"named {', '.join(names)}" if names else f"0 to {len(model) - 1}"
            raise ValueError(f"not_in_gramian must name arrays of the model ({known}), got {item!r}")
        outside |= found
    if not any(is_floating(array) and k not in outside for k, array in enumerate(model)):
        raise ValueError(
            "the model must hold floating-point arrays that are not in not_in_gramian, got none; trees, "
            "such as XGBoost's, are no parameters that can be averaged"
        )
    return frozenset(outside)
