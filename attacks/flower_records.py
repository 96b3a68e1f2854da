"""A client's reply in either of Flower's APIs as an update and a report, and back.

In ``aggregate_fit`` projects a reply holds the records ``fitres.parameters``, ``fitres.metrics`` and
``fitres.num_examples``; with the Message API, ArrayRecords and MetricRecords of any name.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, RecordDict
from numpy.typing import NDArray

from .knowledge import TrainingReport, Update

SENT_BY_FIT, RETURNED_BY_FIT, METRICS_OF_FIT = "fitins.parameters", "fitres.parameters", "fitres.metrics"
NEW_METRICS = "metrics"
NUMPY = "numpy.ndarray"
BFLOAT16 = np.dtype("V2")
"""What NumPy's format makes of bfloat16."""


@dataclass(frozen=True)
class ModelReply:
    """The floating-point arrays of a reply, with those that the client received.

    Attributes
    ----------
    record : ArrayRecord
        Of the reply; `send` changes it.
    names : list of str
        Its floating-point arrays.
    received, trained : list of ndarray
        In the order of the names, float32 or wider where they are bfloat16.
    """

    record: ArrayRecord
    names: list[str]
    received: Update
    trained: Update

    @classmethod
    def of(cls, request: RecordDict, reply: RecordDict) -> ModelReply:
        """Return those of a reply to a request.

        Raises
        ------
        ValueError
            Where no arrays of the reply answer arrays of the request.
        """
        sent, record = _answering(request, reply)
        if list(sent) != list(record):
            raise ValueError(
                f"an attack on updates needs a reply with the arrays that were received, got "
                f"{len(record)} instead of {len(sent)}: {', '.join(list(record)[:3])}, ..."
            )
        pairs = {name: (_decoded(sent[name]), _decoded(array)) for name, array in record.items()}
        names = [
            name for name, (_, trained) in pairs.items() if np.issubdtype(trained.dtype, np.floating)
        ]
        return cls(record, names, [pairs[n][0] for n in names], [pairs[n][1] for n in names])

    @property
    def update(self) -> Update:
        """The received minus the trained model."""
        return [before - after for before, after in zip(self.received, self.trained, strict=True)]

    def send(self, update: Update) -> None:
        """Make the reply hold the model that an update leads to."""
        for name, before, change in zip(self.names, self.received, update, strict=True):
            like = self.record[name]
            data = _encoded((before - change).astype(before.dtype), _dtype(like))
            self.record[name] = Array(like.dtype, like.shape, like.stype, data)


def report_of(reply: RecordDict) -> TrainingReport:
    """Return what a reply tells of its training; NaN, or 0 examples, where it does not."""
    values = {
        key.replace("-", "_"): value for record in _metrics(reply) for key, value in record.items()
    }
    return TrainingReport(
        loss_before=_number(values.get("loss_before")),
        loss_after=_number(values.get("loss_after")),
        num_examples=int(_number(values.get("num_examples"), 0.0)),
        loss_gap=_number(values.get("loss_gap")),
    )


def change_report(reply: RecordDict, before: TrainingReport, after: TrainingReport) -> None:
    """Make a reply tell what is new in a report, under the names that it has for it."""
    for field in fields(TrainingReport):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new or (math.isnan(old) and math.isnan(new)):
            continue
        spellings = (field.name, field.name.replace("_", "-"))
        for record in _metrics(reply):
            for name in (name for name in spellings if name in record):
                record[name] = new
                break
            else:
                continue
            break
        else:
            _first_metrics(reply)[field.name] = new


def _answering(request: RecordDict, reply: RecordDict) -> tuple[ArrayRecord, ArrayRecord]:
    sent, returned = request.array_records, reply.array_records
    if RETURNED_BY_FIT in returned and SENT_BY_FIT in sent:
        return sent[SENT_BY_FIT], returned[RETURNED_BY_FIT]
    if len(sent) == len(returned) == 1:
        return next(iter(sent.values())), next(iter(returned.values()))
    alike = [name for name in returned if name in sent]
    if len(alike) != 1:
        raise ValueError(
            "an attack on updates needs a reply with one ArrayRecord that answers one of the request's, "
            f"got {', '.join(returned) or 'none'} for {', '.join(sent) or 'none'}"
        )
    return sent[alike[0]], returned[alike[0]]


def _metrics(reply: RecordDict) -> Iterator[Any]:
    yield from reply.metric_records.values()
    if METRICS_OF_FIT in reply.config_records:
        yield reply.config_records[METRICS_OF_FIT]


def _first_metrics(reply: RecordDict) -> Any:
    if METRICS_OF_FIT in reply.config_records:
        return reply.config_records[METRICS_OF_FIT]
    if not reply.metric_records:
        from flwr.app import MetricRecord

        reply[NEW_METRICS] = MetricRecord()
    return next(iter(reply.metric_records.values()))


def _number(value: Any, otherwise: float = math.nan) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else otherwise


def _decoded(array: Array) -> NDArray[Any]:
    if array.stype != NUMPY:
        raise ValueError(f"an attack on updates needs arrays serialized as {NUMPY}, got {array.stype}")
    read: NDArray[Any] = np.load(io.BytesIO(array.data), allow_pickle=False)
    if read.dtype == BFLOAT16:
        return (read.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return read


def _dtype(array: Array) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.load(io.BytesIO(array.data), allow_pickle=False).dtype
    return dtype


def _encoded(array: NDArray[Any], dtype: np.dtype[Any]) -> bytes:
    if dtype == BFLOAT16:
        bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32).reshape(array.shape)
        array = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16).view(BFLOAT16)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def request_round(message_group: str, records: Mapping[str, Mapping[str, Any]]) -> int | None:
    """Return the round that a request says to be of; None where it does not.

    Parameters
    ----------
    message_group : str
        The message's group, which is the round in ``aggregate_fit`` projects.
    records : mapping of str to mapping
        The request's ConfigRecords, one of which names the round with the Message API.
    """
    for record in records.values():
        for name in ("server-round", "server_round", "current_round", "round"):
            if isinstance(record.get(name), int):
                return int(record[name])
    return int(message_group) if message_group.isdigit() else None
