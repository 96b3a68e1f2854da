"""Reading what clients sent back from a round of training, none of which can be trusted.

A reply whose arrays are not those of the model is left out and the reason recorded. Node ids are drawn
anew in every federation, so clients are put in the order of the partition id that they report; as a
malicious client may report another's, replies of one partition id are ordered by their content.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..arrays import NDArrays
from .sent_model import SentModel
from .serialized_arrays import InvalidArray, deserialize_expected


@dataclass(frozen=True)
class EncodedReply:
    """One client's reply as it came in, with nothing decoded yet.

    Attributes
    ----------
    node : str
        The id of the node that sent it.
    tensors : sequence of bytes
        The serialized arrays, in the order of the model's.
    metrics : mapping
        What it reports.
    num_examples : object
        As reported.
    unreadable : str
        Why there are no such tensors; empty where there are.
    """

    node: str
    tensors: Sequence[bytes]
    metrics: Mapping[str, Any]
    num_examples: object
    unreadable: str = ""


@dataclass(frozen=True)
class ClientReply:
    """One client's reply, read.

    Attributes
    ----------
    client : str
        The client's name in logs and records.
    node : str
        The id of the node that sent it.
    reported_id : str
        The client id that it reports; empty where it reports none.
    position : int
        Which of the round's replies, as they came in, this is.
    arrays : list of ndarray
        Its model, in the shapes of the global one; empty where the reply is left out.
    loss_gap : float
        Its reported optimality gap; NaN where that is missing or no finite number.
    loss : float
        Its reported loss under the model that it received; NaN likewise.
    num_examples : int
        As reported; 0 where that is no whole number.
    left_out : str
        Why the reply cannot be aggregated; empty where it can.
    """

    client: str
    node: str
    reported_id: str
    position: int
    arrays: NDArrays
    loss_gap: float
    loss: float
    num_examples: int
    left_out: str


def read_replies(
    replies: Sequence[EncodedReply],
    sent: SentModel,
    *,
    loss_gap_key: str,
    client_id_key: str,
    loss_key: str = "loss_before",
) -> list[ClientReply]:
    """Decode and check all replies of a round and put them in an order that arrival has no part in."""
    models = [_read_arrays(reply, sent) for reply in replies]
    unusable = [bool(left_out) for _, left_out in models]
    read, nodes = [], set[str]()
    for position in _stable_order(replies, unusable, client_id_key, loss_gap_key):
        reply = replies[position]
        arrays, left_out = models[position]
        if reply.node in nodes:
            arrays, left_out = [], f"node {reply.node} has already replied in this round"
        nodes.add(reply.node)
        reported = _reported_id(reply.metrics, client_id_key)
        read.append(
            ClientReply(
                client=reply.node if reported is None else str(reported),
                node=reply.node,
                reported_id="" if reported is None else str(reported),
                position=position,
                arrays=arrays,
                loss_gap=reported_number(reply.metrics, loss_gap_key),
                loss=reported_number(reply.metrics, loss_key),
                num_examples=reply.num_examples if isinstance(reply.num_examples, int) else 0,
                left_out=left_out,
            )
        )
    return read


def reported_number(metrics: Mapping[str, Any], key: str) -> float:
    """Return a reported metric, or NaN where it is missing or no finite number.

    A key is also found with hyphens in the place of underscores, as Message-API projects write it, and
    the other way round.
    """
    return finite_number(_metric(metrics, key))


def finite_number(value: Any) -> float:
    """Return what a client reports as a float, or NaN where it is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _metric(metrics: Mapping[str, Any], key: str) -> Any:
    for spelling in (key, key.replace("_", "-"), key.replace("-", "_")):
        if spelling in metrics:
            return metrics[spelling]
    return None


def _reported_id(metrics: Mapping[str, Any], key: str) -> int | None:
    value = _metric(metrics, key)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 2**63 else None


def _stable_order(
    replies: Sequence[EncodedReply], unusable: Sequence[bool], key: str, gap_key: str
) -> list[int]:
    ids = [_reported_id(reply.metrics, key) for reply in replies]
    claims = Counter(ids)

    def place(index: int) -> tuple[bool, int, bool, bytes, str]:
        reported, reply = ids[index], replies[index]
        if reported is not None and claims[reported] == 1:
            return (False, reported, False, b"", "")
        gap = reported_number(reply.metrics, gap_key)
        # What is no model may be of any size, so nothing is computed from it.
        content = b"" if unusable[index] else _digest(reply.tensors)
        return (reported is None, reported or 0, unusable[index], content, repr(gap))

    return sorted(range(len(replies)), key=place)


def _digest(tensors: Sequence[bytes]) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        content.update(tensor)
    return content.digest()


def _read_arrays(reply: EncodedReply, sent: SentModel) -> tuple[NDArrays, str]:
    if reply.unreadable:
        return [], reply.unreadable
    if len(reply.tensors) != len(sent.arrays):
        return [], f"{len(reply.tensors)} arrays instead of {len(sent.arrays)}"
    try:
        return list(_decoded(reply.tensors, sent)), ""
    except InvalidArray as problem:
        return [], str(problem)


def _decoded(tensors: Sequence[bytes], sent: SentModel) -> Iterator[NDArray[Any]]:
    for name, tensor, expected in zip(sent.names, tensors, sent.arrays, strict=True):
        try:
            yield deserialize_expected(tensor, expected)
        except InvalidArray as problem:
            raise InvalidArray(f"array {name} {problem}") from problem
