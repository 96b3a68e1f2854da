"""The tables of a run's folder as they are, written by `RoundReport` or by this project's app.

``clients.csv`` has a row for each round and client, ``rounds.csv`` one for each round. Columns that a
writer does not know are missing, such as who is truly malicious; the run may be going on.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CLIENTS, ROUNDS, SUMMARY = "clients.csv", "rounds.csv", "summary.json"
GROUPS = {"groups.csv": "group", "subgroups.csv": "subgroup"}
"""Tables of accuracies of groups, and the column that names the group."""
WORST_SHARE = 0.1
BELOW_HALF = "robust weight below half of an equal share"


class NoRecords(ValueError):
    """A folder holds no records of a run. The message names it."""


@dataclass(frozen=True)
class ClientRecord:
    """A client that was asked to train in a round.

    Attributes
    ----------
    round : int
    client : str
    weight, loss_gap : float
        What its update was multiplied with, and the optimality gap that it reported; may be NaN.
    judged_malicious : bool
    left_out : str
        Why its reply could not be used; empty where it could.
    truly_malicious : bool or None
        None where the records do not say.
    brought_back_by : str
        What made its update count though the weighting leaves it out; empty where nothing did.
    """

    round: int
    client: str
    weight: float
    loss_gap: float
    judged_malicious: bool
    left_out: str
    truly_malicious: bool | None
    brought_back_by: str = ""

    @property
    def reason(self) -> str:
        """Why the client was judged malicious; empty where it was not."""
        if self.left_out:
            return self.left_out
        return BELOW_HALF if self.judged_malicious else ""


@dataclass(frozen=True)
class RunRecords:
    """What a run recorded up to now.

    Attributes
    ----------
    clients : tuple of ClientRecord
    rounds : dict of int to dict of str to float
        What is known of each round, by its number: all columns of its table that hold numbers.
    is_finished : bool or None
        None where the records do not say.
    groups : dict of str to dict of int to float
        Accuracies by round of each group of clients or test samples that the run sets apart.
    """

    clients: tuple[ClientRecord, ...]
    rounds: Mapping[int, Mapping[str, float]]
    is_finished: bool | None = None
    groups: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path | str) -> RunRecords:
        """Read a folder.

        Raises
        ------
        NoRecords
            Where it holds none.
        """
        path = Path(folder)
        if not (path / CLIENTS).is_file() and not (path / ROUNDS).is_file():
            raise NoRecords(f"{str(path)!r} holds neither {CLIENTS} nor {ROUNDS}: no run recorded there")
        clients = tuple(map(_client, _rows(path / CLIENTS)))
        rounds = {int(row["round"]): _numbers(row) for row in _rows(path / ROUNDS)}
        from_app = (path / "settings.toml").is_file()
        is_finished = (path / SUMMARY).is_file() if from_app else None
        return cls(clients, rounds, is_finished, _groups(path))

    @property
    def names(self) -> list[str]:
        """All clients, in numerical order."""
        return in_order({record.client for record in self.clients})

    @property
    def trained_rounds(self) -> list[int]:
        """The rounds in which clients trained, ascending."""
        return sorted({record.round for record in self.clients})

    @property
    def reported_gaps(self) -> dict[int, list[ClientRecord]]:
        """Those who reported a gap that is a finite number, by round in ascending order."""
        told: dict[int, list[ClientRecord]] = {number: [] for number in self.trained_rounds}
        for record in self.clients:
            if math.isfinite(record.loss_gap):
                told[record.round].append(record)
        return told

    @property
    def truly_malicious(self) -> frozenset[str] | None:
        """Who is malicious; None where the records do not say."""
        if all(record.truly_malicious is None for record in self.clients):
            return None
        return frozenset(record.client for record in self.clients if record.truly_malicious)


def largest_and_worst(gaps: Iterable[float]) -> tuple[float, float]:
    """Return the largest of some gaps, and the mean over the largest tenth; NaN where there are none."""
    ordered = sorted(gaps, reverse=True)
    if not ordered:
        return math.nan, math.nan
    tenth = ordered[: math.ceil(WORST_SHARE * len(ordered) - 1e-9)]
    return ordered[0], sum(tenth) / len(tenth)


def in_order(names: Iterable[str]) -> list[str]:
    """Return clients' names in numerical order."""
    return sorted(names, key=lambda name: (len(name), name))


def _rows(path: Path) -> list[dict[str, str]]:
    """Return the complete rows of a table; the last may be written right now."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as lines:
        return [row for row in csv.DictReader(lines) if None not in row and None not in row.values()]


def _groups(folder: Path) -> dict[str, dict[int, float]]:
    accuracies: dict[str, dict[int, float]] = {}
    for table, column in GROUPS.items():
        for row in _rows(folder / table):
            accuracy = _number(row["accuracy"])
            if math.isfinite(accuracy):
                accuracies.setdefault(row[column], {})[int(row["round"])] = accuracy
    return accuracies


def _client(row: Mapping[str, str]) -> ClientRecord:
    truth = row.get("truly_malicious", "")
    return ClientRecord(
        round=int(row["round"]),
        client=row["client"],
        weight=_number(row.get("weight", "")),
        loss_gap=_number(row.get("loss_gap", "")),
        judged_malicious=row.get("judged_malicious") == "True",
        left_out=row.get("left_out", ""),
        truly_malicious=None if truth == "" else truth == "True",
        brought_back_by=row.get("brought_back_by", ""),
    )


def _numbers(row: Mapping[str, str]) -> dict[str, float]:
    numbers = {name: _number(text) for name, text in row.items() if name != "round"}
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
