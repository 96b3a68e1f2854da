"""Reading what clients sent back from a round of training, none of which can be trusted.

A reply whose arrays are not those of the model is left out and the reason recorded. Node ids are drawn
anew in every federation, so clients are put in the order of the name that they report of themselves;
as a liar may report another's, replies of one name are ordered by their content.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.common import FitRes, Parameters, parameters_to_ndarrays
from flwr.server.client_proxy import ClientProxy
from numpy.typing import NDArray

NDArrays = list[NDArray[Any]]


@dataclass(frozen=True)
class ClientReply:
    """One client's reply, read.

    Attributes
    ----------
    client : str
        The client's name in logs and records.
    arrays : list of ndarray
        Its model, in the shapes of the global one; empty where the reply is left out.
    loss_gap : float
        Its reported optimality gap; NaN where that is missing or no finite number.
    num_examples : int
        As reported.
    left_out : str
        Why the reply cannot be aggregated; empty where it can.
    """

    client: str
    arrays: NDArrays
    loss_gap: float
    num_examples: int
    left_out: str


def read_replies(
    results: Sequence[tuple[ClientProxy, FitRes]],
    global_model: NDArrays,
    *,
    loss_gap_key: str,
    client_id_key: str,
) -> list[ClientReply]:
    """Decode and check all replies of a round and put them in an order that arrival has no part in."""
    replies = []
    for proxy, result in _in_stable_order(results, client_id_key):
        arrays, left_out = _read_arrays(result.parameters, global_model)
        replies.append(
            ClientReply(
                client=_name(proxy, result.metrics, client_id_key),
                arrays=arrays,
                loss_gap=reported_gap(result.metrics, loss_gap_key),
                num_examples=result.num_examples,
                left_out=left_out,
            )
        )
    return replies


def reported_gap(metrics: Mapping[str, Any], key: str) -> float:
    """Return a reported optimality gap, or NaN where it is missing or no finite number.

    A key is also found with hyphens in the place of underscores, as Message-API projects write it.
    """
    value = metrics.get(key, metrics.get(key.replace("_", "-")))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        gap = float(value)
    except OverflowError:
        return math.nan
    return gap if math.isfinite(gap) else math.nan


def _reported_id(metrics: Mapping[str, Any], key: str) -> int | None:
    value = metrics.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _name(proxy: ClientProxy, metrics: Mapping[str, Any], key: str) -> str:
    reported = _reported_id(metrics, key)
    return str(proxy.cid) if reported is None else str(reported)


def _in_stable_order(
    results: Sequence[tuple[ClientProxy, FitRes]], key: str
) -> list[tuple[ClientProxy, FitRes]]:
    ids = [_reported_id(result.metrics, key) for _, result in results]
    claims = Counter(ids)

    def position(index: int) -> tuple[bool, int, bytes]:
        reported = ids[index]
        if reported is not None and claims[reported] == 1:
            return (False, reported, b"")
        return (reported is None, reported or 0, _digest(results[index][1].parameters))

    return [results[index] for index in sorted(range(len(results)), key=position)]


def _digest(parameters: Parameters) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for tensor in parameters.tensors:
        content.update(tensor)
    return content.digest()


def _read_arrays(parameters: Parameters, global_model: NDArrays) -> tuple[NDArrays, str]:
    if len(parameters.tensors) != len(global_model):
        return [], f"{len(parameters.tensors)} arrays instead of {len(global_model)}"
    arrays: NDArrays = []
    for k, (tensor, expected) in enumerate(zip(parameters.tensors, global_model, strict=True)):
        try:
            # Refuses pickled objects. What else a hostile header makes NumPy raise is not foreseeable.
            array = parameters_to_ndarrays(Parameters([tensor], parameters.tensor_type))[0]
        except Exception as problem:  # noqa: BLE001
            return [], f"array {k} cannot be read: {problem}"
        if array.shape != expected.shape:
            return [], f"array {k} has shape {array.shape} instead of {expected.shape}"
        if array.dtype.kind != expected.dtype.kind:
            return [], f"array {k} has dtype {array.dtype} instead of {expected.dtype}"
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return [], f"array {k} holds NaN or infinity"
        arrays.append(array)
    return arrays, ""
