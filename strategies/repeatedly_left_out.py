"""Who is left out by the weighting round after round: either an attack or an honest minority.

From updates alone nobody can tell the two apart, so whoever runs the federation should look.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

ROUNDS_RUNNING = 3
"""In so many rounds running a client must be left out to be named; rounds without it don't count."""

RECENT = 6
MOST_OF_RECENT = 4
"""In so many of its last `RECENT` rounds a client must be left out to be named, running or not."""

EITHER = "either an attack or an honest minority, updates alone do not tell which: docs/minorities.md"


class Judged(Protocol):
    """What is asked of a client's diagnostics; see `diagnostics.ClientDiagnostics`."""

    @property
    def client(self) -> str: ...  # noqa: D102
    @property
    def judged_malicious(self) -> bool: ...  # noqa: D102
    @property
    def left_out(self) -> str: ...  # noqa: D102
    @property
    def loss_gap(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class LeftOut:
    """A client that the weighting leaves out, again and again until now.

    Attributes
    ----------
    client : str
    since_round : int
        The first of the rounds running.
    num_rounds : int
        In how many of them it took part.
    loss_gap : float
        What it costs the client: the gap that it reported last, NaN where that was no finite number.
    others_gap : float
        The median of those whom the weighting kept in that round, NaN where there were none.
    """

    client: str
    since_round: int
    num_rounds: int
    loss_gap: float
    others_gap: float

    @property
    def is_repeated(self) -> bool:
        """Whether it is so in `ROUNDS_RUNNING` rounds or more."""
        return self.num_rounds >= ROUNDS_RUNNING


Streaks = Mapping[str, LeftOut]
"""Whom the weighting left out in the last round that they took part in, by client."""


def after_round(streaks: Streaks, server_round: int, clients: Iterable[Judged]) -> dict[str, LeftOut]:
    """Return the streaks after one more round.

    A client whose reply could not be used at all says nothing of the weighting, so its streak stays.

    Parameters
    ----------
    streaks : mapping of str to LeftOut
        Those before the round.
    server_round : int
    clients : iterable of Judged
        All that replied.
    """
    weighed = [client for client in clients if not client.left_out]
    kept = [one.loss_gap for one in weighed if not one.judged_malicious and math.isfinite(one.loss_gap)]
    others_gap = statistics.median(kept) if kept else math.nan
    after = dict(streaks)
    for client in weighed:
        before = after.pop(client.client, None)
        if client.judged_malicious:
            after[client.client] = LeftOut(
                client=client.client,
                since_round=server_round if before is None else before.since_round,
                num_rounds=1 if before is None else before.num_rounds + 1,
                loss_gap=client.loss_gap,
                others_gap=others_gap,
            )
    return after


Recent = Mapping[str, tuple[bool, ...]]
"""Whether the weighting left them out in the last `RECENT` rounds that they took part in, by client."""


def recent_after_round(recent: Recent, clients: Iterable[Judged]) -> dict[str, tuple[bool, ...]]:
    """Return what was recent, with one more round; replies that could not be used say nothing."""
    after = dict(recent)
    for client in clients:
        if not client.left_out:
            judged = (*after.get(client.client, ()), client.judged_malicious)
            after[client.client] = judged[-RECENT:]
    return after


def mostly_left_out(recent: Recent) -> dict[str, int]:
    """Return in how many of the last `RECENT` rounds who is left out in most of them was."""
    counts = {client: sum(judged) for client, judged in recent.items() if len(judged) == RECENT}
    return {client: count for client, count in counts.items() if count >= MOST_OF_RECENT}


def repeatedly_left_out(streaks: Streaks) -> list[LeftOut]:
    """Return those who are left out again and again, in numerical order."""
    repeated = [one for one in streaks.values() if one.is_repeated]
    return sorted(repeated, key=lambda one: (len(one.client), one.client))


def in_words(left_out: Iterable[LeftOut]) -> list[str]:
    """Say who is left out since when and what it costs them, a line for each first round.

    Parameters
    ----------
    left_out : iterable of LeftOut
        In the order in which they are to be named.
    """
    by_round: dict[int, list[LeftOut]] = {}
    for one in left_out:
        by_round.setdefault(one.since_round, []).append(one)
    return [_line(since, by_round[since]) for since in sorted(by_round)]


def _line(since_round: int, together: list[LeftOut]) -> str:
    names = ", ".join(one.client for one in together)
    gaps = [one.loss_gap for one in together if math.isfinite(one.loss_gap)]
    cost = ""
    if gaps:
        cost = f"; median gap {statistics.median(gaps):.4f}, of the others {together[0].others_gap:.4f}"
    return f"{names} since round {since_round}{cost}"
