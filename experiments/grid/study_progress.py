"""A study's progress on the terminal: bars for cells and rounds with the time left."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .runner import CellFolder


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
        self._waiting = [folder for folder in folders if not folder.finished]
        self._num_to_run, self._num_rounds = len(self._waiting), _rounds_left(self._waiting)
        self._cells = self.add_task("cells", total=self._num_to_run)
        self._rounds = self.add_task("rounds", total=self._num_rounds)

    def start(self) -> None:
        """Show the bars, and say how many cells were finished before."""
        super().start()
        before = self._num_cells - self._num_to_run
        if before:
            self.console.print(f"{before} of {self._num_cells} cells were finished before")

    def look(self, ended: CellFolder | None) -> None:
        """Move the bars, and say which cell ended how."""
        self._waiting = [folder for folder in self._waiting if not folder.finished]
        self.update(self._cells, completed=self._num_to_run - len(self._waiting))
        self.update(self._rounds, completed=self._num_rounds - _rounds_left(self._waiting))
        if ended is not None:
            outcome = "FAILED" if ended in self._waiting else "finished"
            count = f"{self._num_cells - len(self._waiting)}/{self._num_cells}"
            self.console.print(f"{count} {outcome} {ended.cell.name}", highlight=False, soft_wrap=True)
            self.console.file.flush()  # a log that somebody follows


def _rounds_left(folders: Sequence[CellFolder]) -> int:
    return sum(folder.cell.config.federation.num_rounds - folder.run.rounds_done for folder in folders)
