"""Writes that outlive a disk that is full, read-only or gone for a while.

What cannot be written is buffered in memory and retried with every later write; at the end of the run,
what still is missing goes to a folder that the log names.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from logging import ERROR, INFO
from pathlib import Path

from flwr.common.logger import log

from .atomic_files import append_at, write_atomically

ATTEMPTS_AT_THE_END = 3
SECONDS_BETWEEN_ATTEMPTS = 2.0


class ResultsElsewhere(RuntimeError):
    """The results folder could not be written to, and what is missing there is in another one."""


class BufferedFolder:
    """Appends to and replaces files, and buffers what the disk did not take.

    Parameters
    ----------
    path : Path
        A folder that exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lengths: dict[str, int] = {}
        self._rows: dict[str, bytes] = {}
        self._files: dict[str, bytes] = {}
        self._reported = ""

    @property
    def is_complete(self) -> bool:
        """Whether all that was given is on the disk."""
        return not self._rows and not self._files

    @property
    def lengths(self) -> dict[str, int]:
        """How many bytes of each file that is appended to are on the disk."""
        return dict(self._lengths)

    def append(self, name: str, text: str) -> None:
        """Append to a file; what fails is logged and retried later."""
        self._rows[name] = self._rows.get(name, b"") + text.encode()
        self.flush()

    def replace(self, name: str, content: bytes) -> None:
        """Write a whole file; what fails is logged and retried later."""
        self._files[name] = content
        self.flush()

    def flush(self) -> None:
        """Try once to write all that is not on the disk yet."""
        try:
            for name, content in list(self._rows.items()):
                append_at(self.path / name, self._lengths.get(name, 0), content)
                self._lengths[name] = self._lengths.get(name, 0) + len(content)
                del self._rows[name]
            for name, content in list(self._files.items()):
                write_atomically(self.path / name, content)
                del self._files[name]
        except (OSError, ValueError) as problem:
            self._report(problem)
            return
        if self._reported:
            log(INFO, "results-dir %s can be written to again; nothing is missing", self.path)
            self._reported = ""

    def read(self, name: str) -> str:
        """Return a file that is appended to, with the rows that are not on the disk yet."""
        path = self.path / name
        written = path.read_bytes()[: self._lengths[name]] if name in self._lengths else b""
        return (written + self._rows.get(name, b"")).decode()

    def has(self, name: str) -> bool:
        """Return whether anything was appended to a file."""
        return name in self._lengths or name in self._rows

    def cut_back(self, names: Sequence[str], lengths: dict[str, int]) -> None:
        """Take up a folder that was left behind: files as long as they were, others not at all.

        Raises
        ------
        OSError, ValueError
            Where a file is shorter than it was, or cannot be written to.
        """
        for name in names:
            if name in lengths:
                append_at(self.path / name, lengths[name], b"")
                self._lengths[name] = lengths[name]
            else:
                (self.path / name).unlink(missing_ok=True)

    def complete(self) -> None:
        """Write what is missing, here or, where that fails again and again, to another folder.

        Raises
        ------
        ResultsElsewhere
            Where another folder was needed. The message names it.
        """
        for _ in range(ATTEMPTS_AT_THE_END):
            self.flush()
            if self.is_complete:
                return
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        rescued = Path(tempfile.mkdtemp(prefix="pawbrofl-rescued-"))
        for name in self._rows:
            (rescued / name).write_text(self.read(name))
        for name, content in self._files.items():
            (rescued / name).write_bytes(content)
        missing = ", ".join(sorted([*self._rows, *self._files]))
        raise ResultsElsewhere(
            f"results-dir {self.path} could not be written to ({self._reported}); {missing} of this "
            f"run are in {rescued} instead"
        )

    def _report(self, problem: OSError | ValueError) -> None:
        if str(problem) != self._reported:
            self._reported = str(problem)
            log(
                ERROR,
                "results-dir %s cannot be written to (%s): the run goes on, and what is missing "
                "there is kept in memory",
                self.path,
                problem,
            )
