"""The folder of a run, to read: the only place that reads what `RunWriter` wrote."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import layout
from .csv_table import Row, Table
from .summary import RunSummary

if TYPE_CHECKING:
    import pandas as pd

Content = TypeVar("Content")


class UnreadableRun(RuntimeError):
    """A folder does not hold what is asked of it. The message names the file."""


class RunFolder:
    """What a run recorded, read anew with every access; it need not be finished.

    Everything that reads raises `UnreadableRun` for a file that is damaged, or missing where there
    should be one.

    Parameters
    ----------
    path : Path or str
        The run's ``results-dir``.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.model_path = self.path / layout.MODEL
        self.figures_path = self.path / layout.FIGURES
        self.checkpoints_path = self.path / layout.CHECKPOINTS

    @property
    def is_run(self) -> bool:
        """Whether the folder is that of a run which began."""
        return (self.path / layout.SETTINGS).is_file()

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        return (self.path / layout.SUMMARY).is_file()

    @property
    def rounds_done(self) -> int:
        """How many rounds are recorded, the initial model apart; quick to ask again and again."""
        path = self.path / layout.ROUNDS.file
        header_and_initial_model = 2
        lines = path.read_bytes().count(b"\n") if path.is_file() else 0
        return max(0, lines - header_and_initial_model)

    @property
    def rounds(self) -> pd.DataFrame:
        """A row for the initial model and each round: the columns of `layout.RoundRow`."""
        return self._table(layout.ROUNDS)

    @property
    def clients(self) -> pd.DataFrame:
        """A row for each round and client asked to train: the columns of `layout.ClientRow`."""
        return self._table(layout.CLIENTS)

    @property
    def evaluations(self) -> pd.DataFrame:
        """A row for each round and client asked to evaluate: the columns of `layout.EvaluationRow`."""
        return self._table(layout.EVALUATIONS, may_be_missing=True)

    @property
    def groups(self) -> pd.DataFrame:
        """A row for each round and group, if there is a minority: the columns of `groups.GroupRow`."""
        return self._table(layout.GROUPS, may_be_missing=True)

    @property
    def subgroups(self) -> pd.DataFrame:
        """A row for each round and subgroup of the test samples: the columns of `layout.SubgroupRow`."""
        return self._table(layout.SUBGROUPS, may_be_missing=True)

    @property
    def summary(self) -> RunSummary:
        """What a finished run comes to."""
        return self._read(layout.SUMMARY, RunSummary.from_json)

    @property
    def settings(self) -> dict[str, Any]:
        """All settings, under their names in the run config."""
        return self._read(layout.SETTINGS, tomllib.loads)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of Python and of the packages that the run began with."""
        return self._read(layout.VERSIONS, _versions)

    def _table(self, table: Table[Row], *, may_be_missing: bool = False) -> pd.DataFrame:
        """Return a table; no rows where the run has come to none yet."""
        is_awaited = self.path.is_dir() and not self.is_finished
        if (is_awaited or may_be_missing) and not (self.path / table.file).exists():
            return table.read("")
        return self._read(table.file, table.read)

    def _read(self, name: str, parse: Callable[[str], Content]) -> Content:
        path = self.path / name
        try:
            return parse(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            if not self.is_run:
                raise UnreadableRun(f"{str(self.path)!r} is not the folder of a run") from None
            raise UnreadableRun(f"{path} is missing; is the run finished?") from None
        except (OSError, ValueError) as problem:
            raise UnreadableRun(f"{path} cannot be read: {problem}") from problem


def _versions(text: str) -> dict[str, str]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it holds no versions by name")
    return found
