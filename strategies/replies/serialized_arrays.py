"""Arrays as Flower sends them, in NumPy's ``.npy`` format, read without trusting their sender.

A header is checked before anything of the size that it claims is set aside, and nothing is ever
unpickled. bfloat16 arrays, which NumPy knows only as two opaque bytes each, are read as float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..arrays import LARGEST_NUMBER, is_floating, is_reasonable

BFLOAT16 = np.dtype("V2")
"""What NumPy's format makes of bfloat16 (the dtype of the package ml_dtypes)."""

WIDEST_ITEM = 8
MAX_HEADER = 10_000
MAX_DIMENSIONS = 64
_HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class InvalidArray(ValueError):
    """Bytes from a client are not the array that was expected. The message says in what way."""


def serialize_array(array: NDArray[Any], dtype: np.dtype[Any]) -> bytes:
    """Return an array in NumPy's format, converted to ``dtype`` first.

    For `BFLOAT16`, numbers are rounded to the nearest bfloat16.
    """
    buffer = BytesIO()
    converted = _as_bfloat16(array) if dtype == BFLOAT16 else np.asarray(array, dtype=dtype)
    np.save(buffer, converted, allow_pickle=False)
    return buffer.getvalue()


def dtype_on_the_wire(data: bytes) -> np.dtype[Any]:
    """Return the dtype that serialized bytes name; `BFLOAT16` for bfloat16."""
    return _Header.of(data).dtype


def deserialize_array(data: bytes) -> NDArray[Any]:
    """Return the array in NumPy's format that bytes hold; a read-only view of them where possible.

    Raises
    ------
    InvalidArray
        For bytes that are no such array, are cut short or go on behind it, or hold anything but
        floating-point numbers, integers or bool.
    """
    return _read_body(data, _Header.of(data))


def deserialize_expected(data: bytes, expected: NDArray[Any]) -> NDArray[Any]:
    """Return the array that a client sent in the place of ``expected``.

    Floating-point arrays may come in any precision up to float64, others in a narrower dtype.

    Raises
    ------
    InvalidArray
        For far more bytes than expected (before they are looked at), bytes that are no array, a wrong
        shape or dtype, NaN, infinity or numbers beyond `LARGEST_NUMBER`.
    """
    at_most = expected.size * WIDEST_ITEM + MAX_HEADER
    if len(data) > at_most:
        raise InvalidArray(f"is {len(data)} bytes long, at most {at_most} are expected")
    header = _Header.of(data)
    if header.shape != expected.shape:
        raise InvalidArray(f"has shape {header.shape} instead of {expected.shape}")
    array = _read_body(data, header)
    is_float = is_floating(expected)
    if not (is_floating(array) if is_float else np.can_cast(array.dtype, expected.dtype)):
        raise InvalidArray(f"has dtype {array.dtype} instead of {expected.dtype}")
    if is_float and not is_reasonable(array):
        raise InvalidArray(f"holds NaN, infinity or numbers beyond {LARGEST_NUMBER:g}")
    return array


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    length: int

    @classmethod
    def of(cls, data: bytes) -> _Header:
        stream = BytesIO(data[: MAX_HEADER + 100])
        try:
            header = _HEADER_READERS[npy.read_magic(stream)](stream, MAX_HEADER)
        # What a hostile header makes NumPy raise is not foreseeable, and that text is the client's own.
        except Exception as problem:
            raise InvalidArray(f"is no array in NumPy's format ({type(problem).__name__})") from problem
        shape, fortran_order, dtype = header
        if dtype.kind not in "fiub" and dtype != BFLOAT16:
            raise InvalidArray(f"holds {str(dtype)[:20]}, no number that models are made of")
        if len(shape) > MAX_DIMENSIONS or not all(0 <= length < 2**63 for length in shape):
            raise InvalidArray("has a shape that no array has")
        return cls(shape, fortran_order, dtype, stream.tell())


def _read_body(data: bytes, header: _Header) -> NDArray[Any]:
    dtype, size = header.dtype, math.prod(header.shape)
    if size * dtype.itemsize != len(data) - header.length:
        raise InvalidArray(f"has {len(data) - header.length} bytes for shape {header.shape} of {dtype}")
    flat = np.frombuffer(data, dtype, size, header.length) if size else np.empty(0, dtype)
    array = flat.reshape(header.shape, order="F" if header.fortran_order else "C")
    if dtype == BFLOAT16:
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _as_bfloat16(array: NDArray[Any]) -> NDArray[Any]:
    bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32).reshape(array.shape)
    # To the nearest value of 16 bits, ties to the even one; what exceeds them all becomes infinity.
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype(np.uint16).view(BFLOAT16)
