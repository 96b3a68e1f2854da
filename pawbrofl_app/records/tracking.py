"""Hands a run's measures to its experiment tracker, whose troubles end no run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from logging import ERROR
from pathlib import Path
from typing import Any

from flwr.common.logger import log

from ..trackers import Tracker
from .groups import GroupRow

GROUPS = {
    "test_": "test",
    "attack_": "test",
    "largest_": "optimality gap",
    "honest_": "own data",
    "worst_": "own data",
}
OTHERS = "time"


class Tracking:
    """What one run's tracker is told. What it raises is logged and missing there; the run goes on.

    Parameters
    ----------
    tracker : Tracker
    folder : Path
        The run's results folder.
    settings : mapping of str to object
        All settings, under their names in the run config.
    """

    def __init__(self, tracker: Tracker, folder: Path, settings: Mapping[str, Any]) -> None:
        self._tracker, self._folder, self._settings = tracker, folder, settings
        self._has_started = False

    def add_round(self, row: Mapping[str, float]) -> None:
        """Add the values of a `layout.RoundRow`, apart from what is NaN."""
        named = {tag_of(name): value for name, value in row.items() if name != "round"}
        self._add(int(row["round"]), named)

    def add_groups(self, rows: Iterable[GroupRow]) -> None:
        """Add a round's accuracy of each group, apart from what is NaN."""
        for row in rows:
            measures = {"accuracy": row.accuracy, "worst_accuracy": row.worst_accuracy}
            named = {f"{name} by group/{row.group}": value for name, value in measures.items()}
            self._add(row.round, named)

    def close(self, *, is_finished: bool) -> None:
        """Tell the tracker that there is no more."""
        if self._has_started:
            self._try(lambda: self._tracker.close(is_finished=is_finished))

    def _add(self, server_round: int, values: Mapping[str, float]) -> None:
        known = {tag: value for tag, value in values.items() if not math.isnan(value)}

        def add() -> None:
            if not self._has_started:
                self._tracker.start(self._folder, self._settings, server_round)
                self._has_started = True
            self._tracker.add(server_round, known)

        if known:
            self._try(add)

    def _try(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as problem:  # noqa: BLE001  whatever a tracker raises, somebody's own too
            name, kind = type(self._tracker).__name__, type(problem).__name__
            log(ERROR, "the tracker %s failed, training goes on: %s: %s", name, kind, problem)


def tag_of(name: str) -> str:
    """Return what a tracker calls a column of the rounds' table: its group and its name."""
    group = next((group for start, group in GROUPS.items() if name.startswith(start)), OTHERS)
    return f"{group}/{name}"
