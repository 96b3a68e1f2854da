"""When a run starts, when a round is done, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RoundPolicy:
    """How many clients a round needs, how long to wait for them, and when to retry.

    Parameters
    ----------
    num_clients : int
        A run starts when that many are there.
    start_timeout : float
        After so many seconds it starts with ``min_fit_clients`` already; 0: never.
    min_fit_clients : int
        Fewer replies do not make a round.
    round_attempts : int
        How often a round is tried before the run gives up.
    round_timeout : float, optional
        Seconds after which a round goes on without the clients that have not answered; by default
        Flower's 12 hours.
    evaluate_every : int, default 1
        In how-manieth rounds, and in the last, clients evaluate.
    """

    num_clients: int
    start_timeout: float
    min_fit_clients: int
    round_attempts: int
    round_timeout: float | None = None
    evaluate_every: int = 1
