"""A study's progress on the terminal: bars for cells and rounds with the time left."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .runner import CellFolder


class StudyProgress:
    """Shows two bars while a study runs, and a line for each cell that ended.

    Where the output is no terminal, there are the lines only.

    Parameters
    ----------
    folders : sequence of CellFolder
        All of the study's cells.
    """

    def __init__(self, folders: Sequence[CellFolder]) -> None:
        self._folders = folders
        self._console = Console()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            speed_estimate_period=600,
            disable=not self._console.is_terminal,
        )
        self._before = {folder.cell.name for folder in folders if folder.finished}
        rounds = sum(folder.cell.config.federation.num_rounds for folder in self._to_run())
        self._cells = self._bars.add_task("cells", total=len(self._to_run()))
        self._rounds = self._bars.add_task("rounds", total=rounds)

    def _to_run(self) -> list[CellFolder]:
        return [folder for folder in self._folders if folder.cell.name not in self._before]

    def __enter__(self) -> StudyProgress:
        self._bars.start()
        if self._before:
            self._console.print(
                f"{len(self._before)} of {len(self._folders)} cells were finished before"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def update(self, ended: CellFolder | None) -> None:
        """Move the bars, and say which cell ended how."""
        done = [folder for folder in self._to_run() if folder.finished]
        self._bars.update(self._cells, completed=len(done))
        rounds = sum(folder.run.rounds_done for folder in self._to_run())
        self._bars.update(self._rounds, completed=rounds)
        if ended is not None:
            outcome = "finished" if ended.finished else "FAILED"
            count = f"{len(done) + len(self._before)}/{len(self._folders)}"
            self._console.print(f"{count} {outcome} {ended.cell.name}", highlight=False, soft_wrap=True)
            self._console.file.flush()  # a log that somebody follows
