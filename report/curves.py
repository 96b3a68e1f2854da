"""Curves over the rounds, as the paths of an SVG of 1000 x 1000 units that the page stretches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .run_records import ClientRecord, RunRecords, largest_and_worst

EXTENT = 1000
SHARES = ("accuracy", "acc", "success", "backdoor", "f1", "auc", "precision", "recall")
NOT_SHOWN = ("variance", "seconds", "num_examples", "num-examples", "gap")

Series = Mapping[int, float]
"""A value for each round, where there is one."""


@dataclass(frozen=True)
class Curve:
    """One curve of a chart: its name, its path and its last value."""

    name: str
    path: str
    last: float


@dataclass(frozen=True)
class Chart:
    """Curves over the same rounds.

    Attributes
    ----------
    title : str
    curves : tuple of Curve
    low, high : float
        The values at the bottom and the top.
    first, last : int
        The rounds at the left and the right.
    """

    title: str
    curves: tuple[Curve, ...]
    low: float
    high: float
    first: int
    last: int


def charts(records: RunRecords) -> list[Chart]:
    """Return the charts of a run: shares such as accuracy, of groups too, losses and optimality gaps."""
    columns: dict[str, dict[int, float]] = {}
    for number, row in sorted(records.rounds.items()):
        for name, value in row.items():
            if not any(word in name for word in NOT_SHOWN):
                columns.setdefault(name.replace("_", " "), {})[number] = value
    shares = {name: series for name, series in columns.items() if is_share(name, series)}
    losses = {name: series for name, series in columns.items() if "loss" in name and name not in shares}
    drawn = (
        chart("Accuracy and attack success", shares, high=1.0),
        chart("Accuracy of each group", records.groups, high=1.0),
        chart("Loss", losses),
        chart("Optimality gap", gaps(records)),
    )
    return [one for one in drawn if one is not None]


def gaps(records: RunRecords) -> dict[str, dict[int, float]]:
    """Return the largest reported gap of each round over all, and over those whom one may believe.

    These are the honest clients where the records say who is, else those that were not judged.
    """
    known = records.truly_malicious is not None
    believed = "honest clients" if known else "not judged malicious"
    series: dict[str, dict[int, float]] = {
        f"largest, {believed}": {},
        f"worst 10%, {believed}": {},
        "largest of all": {},
    }
    largest, worst, overall = series.values()
    for number, told in records.reported_gaps.items():
        if told:
            overall[number] = max(one.loss_gap for one in told)
        kept = [one.loss_gap for one in told if _is_believed(one, known)]
        if kept:
            largest[number], worst[number] = largest_and_worst(kept)
    return series


def chart(title: str, named: Mapping[str, Series], high: float | None = None) -> Chart | None:
    """Return a chart of some series, from 0 (or the least value) to the top; None without values."""
    values = [value for series in named.values() for value in series.values()]
    rounds = [number for series in named.values() for number in series]
    if not values:
        return None
    low, top = min(0.0, *values), high if high is not None else max(*values, 0.0)
    if top <= low:
        top = low + 1.0
    first, last = min(rounds), max(rounds)
    curves = tuple(
        Curve(name, _path(series, first, last, low, top), series[max(series)])
        for name, series in named.items()
        if series
    )
    return Chart(title, curves, low, top, first, last)


def _path(series: Series, first: int, last: int, low: float, high: float) -> str:
    steps, before = [], None
    for number in sorted(series):
        x = EXTENT * (number - first) / max(last - first, 1)
        y = EXTENT * (1 - (series[number] - low) / (high - low))
        # A gap of more than one round is bridged: not every round is evaluated.
        steps.append(f"{'M' if before is None else 'L'}{x:.1f} {y:.1f}")
        before = number
    return "".join(steps) + ("h0" if len(steps) == 1 else "")


def is_share(name: str, series: Series) -> bool:
    """Return whether all values are between 0 and 1, of a measure that is a share by its name."""
    words = name.replace("-", " ").split()
    within = all(0 <= value <= 1 for value in series.values())
    return within and any(word in SHARES for word in words)


def _is_believed(record: ClientRecord, known: bool) -> bool:
    return not (record.truly_malicious if known else record.judged_malicious)


def last_of(records: RunRecords, words: Sequence[str]) -> tuple[str, float] | None:
    """Return the first share whose name has one of some words, and its last value."""
    for number in sorted(records.rounds, reverse=True):
        for name, value in records.rounds[number].items():
            if "variance" not in name and any(word in name.split("_") for word in words):
                return name.replace("_", " "), value
    return None
