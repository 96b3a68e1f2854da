"""Who was judged malicious, when and why, who is left out again and again, who counts all the same."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .run_records import ClientRecord, RunRecords, in_order

MOST_RANGES = 12
ROUNDS_RUNNING = 3
"""In so many rounds running, until its last, a client must be judged to be left out again and again."""


@dataclass(frozen=True)
class Judgement:
    """A client that was judged malicious in some round.

    Attributes
    ----------
    client : str
    num_judged, num_rounds : int
        In how many of the rounds that it took part in.
    when : str
        In which of those, such as "1-4, 7".
    reasons : tuple of str
        Why, the most frequent first.
    since_round : int or None
        The first of the rounds running until its last, where there are enough of them.
    loss_gap, others_gap : float
        Medians of the gaps that it reported in those rounds, and of those not judged; NaN for none.
    truly_malicious : bool or None
        None where the records do not say.
    """

    client: str
    num_judged: int
    num_rounds: int
    when: str
    reasons: tuple[str, ...]
    since_round: int | None
    loss_gap: float
    others_gap: float
    truly_malicious: bool | None


@dataclass(frozen=True)
class BroughtBack:
    """A client whose updates counted though the weighting leaves them out.

    Attributes
    ----------
    client : str
    by : tuple of str
        What brought it back, such as "vouching", the most frequent first.
    when : str
        In which rounds, such as "1-4, 7".
    """

    client: str
    by: tuple[str, ...]
    when: str


def brought_back(records: RunRecords) -> list[BroughtBack]:
    """Return those who counted though the weighting leaves them out, in numerical order."""
    rows: dict[str, list[ClientRecord]] = {
        name: [] for name in in_order({one.client for one in records.clients if one.brought_back_by})
    }
    for record in sorted(records.clients, key=lambda record: record.round):
        if record.client in rows:
            rows[record.client].append(record)
    return [_brought_back(client, own) for client, own in rows.items()]


def _brought_back(client: str, own: Sequence[ClientRecord]) -> BroughtBack:
    back = [record for record in own if record.brought_back_by]
    by = Counter(record.brought_back_by for record in back)
    when = ranges([record.round for record in back], [record.round for record in own])
    return BroughtBack(client, tuple(reason for reason, _ in by.most_common()), when)


def judgements(records: RunRecords) -> list[Judgement]:
    """Return those who were judged malicious, the most often judged first."""
    rows: dict[str, list[ClientRecord]] = {name: [] for name in records.names}
    for record in sorted(records.clients, key=lambda record: record.round):
        rows[record.client].append(record)
    kept: dict[int, list[float]] = {}
    for record in records.clients:
        if not record.judged_malicious and math.isfinite(record.loss_gap):
            kept.setdefault(record.round, []).append(record.loss_gap)
    found = [_judgement(client, own, kept) for client, own in rows.items()]
    return sorted((one for one in found if one.num_judged), key=lambda one: -one.num_judged)


def _judgement(client: str, own: Sequence[ClientRecord], kept: dict[int, list[float]]) -> Judgement:
    judged = [record for record in own if record.judged_malicious]
    reasons = Counter(record.reason for record in judged)
    running = 0
    while running < len(own) and own[-1 - running].judged_malicious:
        running += 1
    others = [gap for record in judged for gap in kept.get(record.round, ())]
    return Judgement(
        client=client,
        num_judged=len(judged),
        num_rounds=len(own),
        when=ranges([record.round for record in judged], [record.round for record in own]),
        reasons=tuple(reason for reason, _ in reasons.most_common()),
        since_round=own[-running].round if running >= ROUNDS_RUNNING else None,
        loss_gap=_median([record.loss_gap for record in judged]),
        others_gap=_median(others),
        truly_malicious=own[-1].truly_malicious,
    )


def ranges(numbers: Sequence[int], among: Sequence[int]) -> str:
    """Return rounds as text, with runs of them as ranges, the last dozen: "... 1-4, 7".

    Parameters
    ----------
    numbers : sequence of int
        Ascending.
    among : sequence of int
        All that there are, ascending: those between two of them do not end a run.
    """
    place = {number: position for position, number in enumerate(among)}
    runs: list[list[int]] = []
    for number in numbers:
        if runs and place[number] == place[runs[-1][1]] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in runs[-MOST_RANGES:]]
    return ("... " if len(runs) > MOST_RANGES else "") + ", ".join(shown)


def _median(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return statistics.median(finite) if finite else math.nan
