"""Progress: how long the run will take, and how many clients of a round are done."""

from __future__ import annotations

import time
from logging import INFO

from flwr.common.logger import log

SECONDS_BETWEEN_LINES = 10.0


class RunProgress:
    """Logs at the start of every round but the first how long the rounds to come will take.

    Parameters
    ----------
    num_rounds : int
        The run's last round.
    """

    def __init__(self, num_rounds: int) -> None:
        self.num_rounds = num_rounds
        self._last_start: float | None = None
        self._last_round: RoundProgress | None = None

    def start_round(self, server_round: int) -> None:
        """Log the time left if every round to come takes as long as the last one.

        Before a run's first reply the engine was starting, or clients were training side by side, as on
        real machines: after the first round, there is a range.
        """
        now = time.perf_counter()
        if self._last_start is not None:
            rounds_left = self.num_rounds - server_round + 1
            left = f"{rounds_left * (now - self._last_start):.0f}"
            if self._last_round is not None and self._last_round.server_round == 1:
                left = f"{rounds_left * self._last_round.seconds_without_start(now):.0f} to {left}"
            log(INFO, "%s of %s rounds done, about %s s left", server_round - 1, self.num_rounds, left)
        self._last_start = now

    def expect_replies(self, server_round: int, num_clients: int) -> RoundProgress:
        """Return what is to count a round's replies as they come in."""
        self._last_round = RoundProgress(server_round, num_clients)
        return self._last_round


class RoundProgress:
    """Counts the replies of one round and logs a line now and then.

    Parameters
    ----------
    server_round : int
    num_clients : int
        How many replies are expected.
    """

    def __init__(self, server_round: int, num_clients: int) -> None:
        self.server_round = server_round
        self.num_clients = num_clients
        self._last_line = self._first_reply = time.perf_counter()
        self._done = 0

    def seconds_without_start(self, now: float) -> float:
        """Return how long the round took until now at its pace since the first reply."""
        return (now - self._first_reply) * self.num_clients / max(self.num_clients - 1, 1)

    def count(self) -> None:
        """Count one reply and log a line if the last one is long ago."""
        now = time.perf_counter()
        self._done += 1
        if self._done == 1:
            self._first_reply = self._last_line = now
        elif now - self._last_line >= SECONDS_BETWEEN_LINES and self._done < self.num_clients:
            self._last_line = now
            pace = (now - self._first_reply) / (self._done - 1)
            log(
                INFO,
                "round %s: %s of %s clients done, about %.0f s left",
                self.server_round,
                self._done,
                self.num_clients,
                pace * (self.num_clients - self._done),
            )
