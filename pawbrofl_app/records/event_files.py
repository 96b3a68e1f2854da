"""TensorBoard event files of a run: every measure of a round as a curve, while the run goes on.

TensorBoard is not among the app's requirements; `settings.machine_check` says so before the first round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING

from flwr.common.logger import log

from .groups import GroupRow
from .layout import EVENTS

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

GROUPS = {
    "test_": "test",
    "attack_": "test",
    "largest_": "optimality gap",
    "honest_": "own data",
    "worst_": "own data",
}
OTHERS = "time"


class TensorBoardEvents:
    """Writes the event files of one run.

    What the disk does not take is logged and missing there; the run goes on. Of what an interrupted run
    wrote, TensorBoard shows only what comes before the first round of the one that resumes it.

    Parameters
    ----------
    folder : Path
        The run's results folder.
    """

    def __init__(self, folder: Path) -> None:
        self._writer: SummaryWriter | None = None
        self._folder = folder / EVENTS

    def add_round(self, row: Mapping[str, float]) -> None:
        """Write the values of a `layout.RoundRow`, apart from what is NaN."""
        named = {tag_of(name): value for name, value in row.items() if name != "round"}
        self._add(int(row["round"]), named)

    def add_groups(self, rows: Iterable[GroupRow]) -> None:
        """Write a round's accuracy of each group, apart from what is NaN."""
        for row in rows:
            measures = {"accuracy": row.accuracy, "worst_accuracy": row.worst_accuracy}
            named = {f"{name} by group/{row.group}": value for name, value in measures.items()}
            self._add(row.round, named)

    def _add(self, server_round: int, values: Mapping[str, float]) -> None:
        with self._problems_logged():
            if self._writer is None:
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(str(self._folder), purge_step=server_round)
            for tag, value in values.items():
                if not math.isnan(value):
                    self._writer.add_scalar(tag, value, server_round)
            self._writer.flush()

    def close(self) -> None:
        """Write what is still held back."""
        if self._writer is not None:
            with self._problems_logged():
                self._writer.close()

    @contextmanager
    def _problems_logged(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            log(ERROR, "%s cannot be written to: %s", self._folder, problem)


def tag_of(name: str) -> str:
    """Return the tag, with its group, that a column of the rounds' table has in TensorBoard."""
    group = next((group for start, group in GROUPS.items() if name.startswith(start)), OTHERS)
    return f"{group}/{name}"
