"""Writes that outlive a disk that is full, read-only or gone for a while.

All content is kept in memory. What cannot be written is retried with every later write, and what a file
lost meanwhile is written again; at the end of the run, what still is missing goes to a folder that the
log names.
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
        self._tables: dict[str, bytearray] = {}
        self._files: dict[str, bytes] = {}
        self._written: dict[str, int] = {}
        self._reported = ""

    @property
    def is_complete(self) -> bool:
        """Whether all that was given was written."""
        return all(len(content) == self._written.get(name) for name, content in self._content())

    @property
    def lengths(self) -> dict[str, int]:
        """How many bytes of each file that is appended to were written."""
        return {name: self._written[name] for name in self._tables if name in self._written}

    def append(self, name: str, text: str) -> None:
        """Append to a file; what fails is logged and retried later."""
        self._tables.setdefault(name, bytearray()).extend(text.encode())
        self.flush()

    def replace(self, name: str, content: bytes) -> None:
        """Write a whole file; what fails is logged and retried later."""
        self._files[name] = content
        self._written.pop(name, None)
        self.flush()

    def flush(self) -> None:
        """Try once to write all that was not written yet, each file whatever becomes of the others."""
        problems = []
        for name, content in self._content():
            try:
                if name in self._tables:
                    self._append(name, content)
                elif name not in self._written:
                    write_atomically(self.path / name, bytes(content))
                self._written[name] = len(content)
            except OSError as problem:
                problems.append(problem)
        self._report(problems)

    def read(self, name: str) -> str:
        """Return a file that is appended to, with the rows that are not on the disk yet."""
        return self._tables.get(name, b"").decode()

    def has(self, name: str) -> bool:
        """Return whether anything was appended to a file."""
        return name in self._tables

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
                self._tables[name] = bytearray((self.path / name).read_bytes())
                self._written[name] = lengths[name]
            else:
                (self.path / name).unlink(missing_ok=True)

    def complete(self, last: str, content: bytes) -> None:
        """Write what is missing and one last file after all else.

        Parameters
        ----------
        last : str
        content : bytes

        Raises
        ------
        ResultsElsewhere
            Where that fails again and again. The message names another folder, with all that is missing.
        """
        for attempt in range(ATTEMPTS_AT_THE_END):
            time.sleep(SECONDS_BETWEEN_ATTEMPTS if attempt else 0)
            for name, _ in self._content():
                if self._size(name) < self._written.get(name, 0):
                    del self._written[name]  # it was lost after it was written
            self.flush()
            if self.is_complete:
                self.replace(last, content)
            if self.is_complete:
                return
        self._files[last] = content
        rescued, missing = Path(tempfile.mkdtemp(prefix="pawbrofl-rescued-")), []
        for name, whole in sorted(self._content()):
            if len(whole) != self._written.get(name):
                (rescued / name).write_bytes(whole)
                missing.append(name)
        raise ResultsElsewhere(
            f"results-dir {self.path} could not be written to ({self._reported}); {', '.join(missing)} "
            f"of this run are in {rescued} instead"
        )

    def _content(self) -> list[tuple[str, bytes | bytearray]]:
        return [*self._tables.items(), *self._files.items()]

    def _append(self, name: str, content: bytes | bytearray) -> None:
        written = self._written.get(name, 0)
        if self._size(name) < written:
            written = 0
        if written < len(content):
            append_at(self.path / name, written, bytes(content[written:]))

    def _size(self, name: str) -> int:
        """Return how long a file is; 0 where there is none."""
        try:
            return (self.path / name).stat().st_size
        except OSError:
            return 0

    def _report(self, problems: Sequence[OSError]) -> None:
        if problems and not self._reported:
            log(
                ERROR,
                "results-dir %s cannot be written to (%s): the run goes on, and what is missing "
                "there is kept in memory",
                self.path,
                problems[0],
            )
        if self._reported and not problems:
            log(INFO, "results-dir %s can be written to again; nothing is missing", self.path)
        self._reported = str(problems[0]) if problems else ""
