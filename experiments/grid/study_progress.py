"""A study's progress on the terminal: bars for cells and rounds with the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .cell_folder import CellFolder


class StudyProgress(Progress):
    """Shows two bars while a study runs, and a line for each cell that ended.

    Where the output is no terminal, there are the lines only.

    Parameters
    ----------
    folders : sequence of CellFolder
        All of the study's cells.
    """

    def __init__(self, folders: Sequence[CellFolder]) -> None:
        console = Console()
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=600,
            disable=not console.is_terminal,
        )
        self._num_cells = len(folders)
        to_run = [folder for folder in folders if not folder.finished]
        self._left = self._to_run = len(to_run)
        self._rounds_done = 0
        self._began = time.monotonic()
        rounds = sum(folder.cell.config.federation.num_rounds for folder in to_run)
        self._cells = self.add_task("cells", total=self._to_run)
        self._rounds = self.add_task("rounds", total=rounds)

    def start(self) -> None:
        """Show the bars, and say how many cells were finished before."""
        super().start()
        if self._to_run < self._num_cells:
            before = self._num_cells - self._to_run
            self.console.print(f"{before} of {self._num_cells} cells were finished before")

    def look(self, ended: CellFolder | None, running: Sequence[CellFolder]) -> None:
        """Move the bars, and say which cell ended how."""
        if ended is not None and ended.finished:
            self._left -= 1
            self._rounds_done += ended.cell.config.federation.num_rounds
        self.update(self._cells, completed=self._to_run - self._left)
        rounds = sum(folder.run.rounds_done for folder in running)
        self.update(self._rounds, completed=self._rounds_done + rounds)
        if ended is not None:
            outcome = "finished" if ended.finished else "FAILED"
            count = f"{self._num_cells - self._left}/{self._num_cells}"
            line = f"{count} {outcome} {ended.cell.name}{self._time_left()}"
            self.console.print(line, highlight=False, soft_wrap=True)
            self.console.file.flush()  # a log that somebody follows

    def _time_left(self) -> str:
        """Return it for a line of a log, where there are no bars that show it."""
        done = self._to_run - self._left
        if self.live.console.is_terminal or not done or not self._left:
            return ""
        minutes = (time.monotonic() - self._began) / done * self._left / 60
        return f", {minutes:.0f} min left"
