"""Where the records of a study's cells are, and what they say of each cell's progress."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pawbrofl_app.records.resumption import differing_settings
from pawbrofl_app.records.run_folder import RunFolder

from .cell import Cell
from .study import Study


@dataclass(frozen=True)
class CellFolder:
    """Where a cell's records are, and what they say of its progress.

    Attributes
    ----------
    summary_only : bool
        Whether its run's settings and summary are all that is kept.
    """

    cell: Cell
    path: Path
    summary_only: bool = False

    @cached_property
    def run(self) -> RunFolder:
        """What the cell's run recorded."""
        return RunFolder(self.path)

    @property
    def log(self) -> Path:
        """The log of the cell's last try, beside its folder."""
        return self.path.parent / f"{self.path.name}.log"

    @property
    def finished(self) -> bool:
        """Whether the cell has run to its end, with what are its settings now.

        A cell's name tells what is off the defaults, its records tell whether those were others then.
        """
        run = self.run
        return run.is_finished and not differing_settings(self.cell.config, run.settings)

    @property
    def failed(self) -> bool:
        """Whether the cell's last try ended with an error. A try that was killed did not fail."""
        return not self.finished and self.failure.is_file()

    @property
    def failure(self) -> Path:
        """Marks a cell whose last try raised."""
        return self.path.parent / f"{self.path.name}.failed"


def folders_of(study: Study, results: Path) -> list[CellFolder]:
    """Return the folders of a study's cells, whether or not they exist, under ``results/<study>``."""
    keeps_summary = study.keep == "summary"
    return [CellFolder(cell, results / study.name / cell.name, keeps_summary) for cell in study.cells]
