"""Metrics that clients report, aggregated without letting one client end the training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .arrays import LARGEST_NUMBER
from .checks import is_number, is_whole, require
from .flower_log import FLOWER_LOG
from .replies.client_replies import finite_number

Metrics = Mapping[str, Any]
"""Numbers, or lists of them, by name: one of Flower's MetricRecords."""


@dataclass(frozen=True)
class Tolerant:
    """A metrics aggregation function that survives what clients report.

    Metrics come from clients as well: one that leaves a key away or reports a text must not end the
    training. What the function raises is logged with its traceback, and the round has no metrics.
    """

    aggregate_metrics: Callable[..., Any]
    when_it_fails: Callable[[], Any]

    def __call__(self, *arguments: Any) -> Any:
        """Return what the function returns, or the empty result."""
        try:
            return self.aggregate_metrics(*arguments)
        except Exception:  # noqa: BLE001
            FLOWER_LOG.warning("aggregating the clients' metrics failed", exc_info=True)
            return self.when_it_fails()


class Evaluated(Protocol):
    """A client's evaluation: its loss on so many examples, if they are what they should be."""

    loss: float
    num_examples: int


Result = TypeVar("Result", bound=Evaluated)
Client = TypeVar("Client")


def finite_evaluations(results: Sequence[tuple[Client, Result]]) -> list[tuple[Client, Result]]:
    """Return the evaluations that can be averaged: those with examples and a finite loss."""
    usable = [
        (client, result)
        for client, result in results
        if finite_number(result.num_examples) > 0 and abs(finite_number(result.loss)) <= LARGEST_NUMBER
    ]
    if len(usable) < len(results):
        FLOWER_LOG.warning(
            "aggregate_evaluate: left out %d results without examples or finite loss",
            len(results) - len(usable),
        )
    return usable


def check_options_of_flower(
    strategy: Any, fractions: Sequence[str], metrics_functions: Mapping[str, Callable[[], Any]]
) -> None:
    """Check the fractions that a strategy was given, and make its metrics functions `Tolerant`.

    Parameters
    ----------
    strategy : object
    fractions : sequence of str
        The names of its attributes that hold fractions.
    metrics_functions : mapping of str to callable
        The names of those that hold metrics functions, with what makes their empty result.

    Raises
    ------
    ValueError
        For a fraction that is none, or a least number of clients that is no whole number.
    """
    for name in fractions:
        value = getattr(strategy, name)
        require(is_number(value) and 0 <= value <= 1, name, "between 0 and 1", repr(value))
    for name, value in vars(strategy).items():
        if name.startswith("min_"):
            require(is_whole(value) and value >= 0, name, "a whole number of at least 0", repr(value))
    for name, empty in metrics_functions.items():
        if getattr(strategy, name) is not None:
            setattr(strategy, name, Tolerant(getattr(strategy, name), empty))


def averageable(replies: Sequence[Sequence[Metrics]], weighted_by_key: str) -> list[int]:
    """Return which replies' metrics can be averaged: those that are built as most are.

    Each of them has one record of metrics with finite numbers only and a weight above zero.
    """
    built = [_how_built(records, weighted_by_key) for records in replies]
    votes = Counter(form for form in built if form is not None)
    if not votes:
        return []
    most = votes.most_common(1)[0][0]
    return [position for position, form in enumerate(built) if form == most]


def _how_built(records: Sequence[Metrics], weighted_by_key: str) -> frozenset[tuple[str, int]] | None:
    if len(records) != 1:
        return None
    (record,) = records
    weight = record.get(weighted_by_key)
    if not finite_number(weight) > 0:
        return None
    values = {name: value if isinstance(value, list) else [value] for name, value in record.items()}
    numbers = (finite_number(number) for listed in values.values() for number in listed)
    if not all(abs(number) <= LARGEST_NUMBER for number in numbers):
        return None
    return frozenset(
        (name, len(values[name]) if isinstance(value, list) else -1) for name, value in record.items()
    )
