"""Kinds of hostile replies: what a client that follows no rule can put on the wire."""

from __future__ import annotations

import math
import os
import pickle
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Error, Message, RecordDict
from flwr.app.message import make_message
from flwr.common import Code, FitRes, NDArrays, Parameters, Status, ndarray_to_bytes
from flwr.common.constant import ErrorCode
from flwr.compat.common.recorddict_compat import fitres_to_recorddict, recorddict_to_fitres
from numpy.typing import NDArray

START: NDArrays = [np.zeros((4, 5), np.float32), np.zeros(7, np.float32)]
TWO = (3, 7)
MARKER = "PAWBROFL_UNPICKLED"
"""An environment variable that the pickles here would set, were they ever unpickled."""


@dataclass(frozen=True)
class Kind:
    """One kind of hostile reply.

    Attributes
    ----------
    name : str
    replies : callable
        Maps an honest reply to what arrives in its place: messages, usually one.
    clients : sequence of int
        Who replies so.
    """

    name: str
    replies: Callable[[Message], Sequence[Message]]
    clients: Sequence[int] = TWO


class _Trap:
    def __reduce__(self) -> tuple[Any, Any]:
        return os.putenv, (MARKER, "1")


def _fit(change: Callable[[FitRes], None]) -> Callable[[Message], Sequence[Message]]:
    def replies(honest: Message) -> Sequence[Message]:
        fit = recorddict_to_fitres(honest.content, keep_input=True)
        change(fit)
        honest.content = fitres_to_recorddict(fit, keep_input=True)
        return [honest]

    return replies


def _tensors(
    name: str, make: Callable[[list[bytes]], list[bytes]], clients: Sequence[int] = TWO
) -> Kind:
    def change(fit: FitRes) -> None:
        fit.parameters = Parameters(make(list(fit.parameters.tensors)), "numpy.ndarray")

    return Kind(name, _fit(change), clients)


def _first(name: str, make: Callable[[bytes], bytes]) -> Kind:
    return _tensors(name, lambda tensors: [make(tensors[0]), *tensors[1:]])


def _array(name: str, array: NDArray[Any]) -> Kind:
    return _first(name, lambda _: ndarray_to_bytes(array))


def _scaled(name: str, factor: float, clients: Sequence[int] = TWO) -> Kind:
    scaled = [ndarray_to_bytes((array + 1) * np.float32(factor)) for array in START]
    return _tensors(name, lambda _: scaled, clients)


def _filled(name: str, value: float, clients: Sequence[int] = TWO) -> Kind:
    filled = [ndarray_to_bytes(np.full_like(array, value)) for array in START]
    return _tensors(name, lambda _: filled, clients)


def _metric(name: str, key: str, value: Any) -> Kind:
    return Kind(name, _fit(lambda fit: fit.metrics.update({key: value})))


def _flip(fit: FitRes) -> None:
    flipped = [ndarray_to_bytes(-(array + 1)) for array in START]
    fit.parameters = Parameters(flipped, "numpy.ndarray")


def _examples(number: int) -> Kind:
    def change(fit: FitRes) -> None:
        _flip(fit)
        fit.num_examples = number

    name = f"the opposite of the honest update, and num_examples {number:,}"

    return Kind(name, _fit(change))


def _refuse(fit: FitRes) -> None:
    fit.status = Status(Code.FIT_NOT_IMPLEMENTED, "\x1b[31mnot\ntoday")


def _flip_and_inflate(fit: FitRes) -> None:
    _flip(fit)
    fit.metrics["loss_gap"] = 1e300


def _forget_gap(fit: FitRes) -> None:
    del fit.metrics["loss_gap"]


def _content(name: str, make: Callable[[RecordDict], RecordDict]) -> Kind:
    def replies(honest: Message) -> Sequence[Message]:
        honest.content = make(honest.content)
        return [honest]

    return Kind(name, replies)


def _without(content: RecordDict, key: str) -> RecordDict:
    return RecordDict({name: record for name, record in content.items() if name != key})


def _error(honest: Message) -> Sequence[Message]:
    reason = "\x1b[31mERROR: the server was compromised\n" * 20
    error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason)
    return [make_message(honest.metadata, error=error)]


def _header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


_PICKLE = pickle.dumps(_Trap())
_ALL = tuple(range(10))

KINDS: tuple[Kind, ...] = (
    _array("one NaN", np.where(np.eye(4, 5) > 0, np.nan, 1).astype(np.float32)),
    _filled("NaN everywhere", math.nan),
    _filled("infinity", math.inf),
    _filled("minus infinity", -math.inf),
    _filled("numbers of 3e38", 3e38),
    _filled("numbers of 1e38", 1e38),
    _array("float64 numbers of 1e300", np.full((4, 5), 1e300)),
    _filled("numbers of 1e30", 1e30),
    _scaled("a hundred times the honest update", 100),
    _scaled("the opposite of the honest update, a hundredfold", -100),
    _filled("a model of an earlier round", -10.0),
    _array("a wrong shape", np.ones((5, 4), np.float32)),
    _array("a single number in the place of a matrix", np.array(1, np.float32)),
    _array("an array of no numbers", np.ones((0, 5), np.float32)),
    _array("whole numbers", np.ones((4, 5), np.int64)),
    _array("complex numbers", np.ones((4, 5), np.complex64)),
    _array("texts", np.full((4, 5), "1")),
    _array("dates", np.zeros((4, 5), "datetime64[s]")),
    _first("an array of pickled objects", lambda _: _header("(4, 5)", "'|O'") + _PICKLE),
    _tensors("pickles in the place of arrays", lambda _: [_PICKLE, _PICKLE]),
    _tensors("an array too few", lambda tensors: tensors[:1]),
    _tensors("an array too many", lambda tensors: [*tensors, tensors[0]]),
    _tensors("a thousand arrays", lambda tensors: tensors * 500),
    _tensors("no arrays", lambda _: []),
    _first("no bytes", lambda _: b""),
    _first("random bytes", lambda _: np.random.default_rng(1).bytes(300)),
    _first("an array cut short", lambda tensor: tensor[:-3]),
    _first("an array that goes on behind its end", lambda tensor: tensor + b"more"),
    _first("a header that claims a petabyte", lambda _: _header(f"({2**48},)")),
    _first("a header with negative lengths", lambda _: _header("(-4, -5)")),
    _first("a header of 65,000 brackets", lambda _: b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535),
    _first("20 MB for twenty numbers", lambda _: ndarray_to_bytes(np.ones(5_000_000, np.float32))),
    Kind("no loss_gap", _fit(_forget_gap)),
    _metric("loss_gap NaN", "loss_gap", math.nan),
    _metric("loss_gap infinity", "loss_gap", math.inf),
    _metric("loss_gap 1e300", "loss_gap", 1e300),
    _metric("loss_gap -1e300", "loss_gap", -1e300),
    _metric("loss_gap a text", "loss_gap", "large"),
    _metric("loss_gap a list", "loss_gap", [1.0, 2.0]),
    _metric("loss_gap true", "loss_gap", True),
    Kind("the opposite of the honest update, and loss_gap 1e300", _fit(_flip_and_inflate)),
    _examples(0),
    _examples(-1_000_000),
    _examples(10**18),
    _metric("another client's number", "partition_id", 0),
    _metric("a number that is a text", "partition_id", "root; rm"),
    _content("nothing at all", lambda _: RecordDict()),
    _content("no num_examples", lambda content: _without(content, "fitres.num_examples")),
    _content("no status", lambda content: _without(content, "fitres.status")),
    _content(
        "other records as well",
        lambda content: RecordDict({**content, "more": ArrayRecord(START)}),
    ),
    Kind("the status that it cannot train", _fit(_refuse)),
    Kind("an error in the place of a reply", _error),
    Kind("nothing in time", lambda _: []),
    Kind("two replies each", lambda honest: [honest, honest]),
    _filled("NaN, from nine of the ten", math.nan, tuple(range(1, 10))),
    _filled("NaN, from all ten", math.nan, _ALL),
    Kind("nothing in time, from all ten", lambda _: [], _ALL),
    _scaled("the opposite, tenfold, from four: more than epsilon", -10, (1, 3, 5, 7)),
)
