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
        self._to_run = [folder for folder in folders if not folder.finished]
        rounds = sum(folder.cell.config.federation.num_rounds for folder in self._to_run)
        self._cells = self.add_task("cells", total=len(self._to_run))
        self._rounds = self.add_task("rounds", total=rounds)

    def start(self) -> None:
        """Show the bars, and say how many cells were finished before."""
        super().start()
        if len(self._to_run) < self._num_cells:
            before = self._num_cells - len(self._to_run)
            self.console.print(f"{before} of {self._num_cells} cells were finished before")

    def look(self, ended: CellFolder | None) -> None:
        """Move the bars, and say which cell ended how."""
        left = sum(not folder.finished for folder in self._to_run)
        self.update(self._cells, completed=len(self._to_run) - left)
        rounds = sum(folder.run.rounds_done for folder in self._to_run)
        self.update(self._rounds, completed=rounds)
        if ended is not None:
            outcome = "finished" if ended.finished else "FAILED"
            count = f"{self._num_cells - left}/{self._num_cells}"
            self.console.print(f"{count} {outcome} {ended.cell.name}", highlight=False, soft_wrap=True)
            self.console.file.flush()  # a log that somebody follows
