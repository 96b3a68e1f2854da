"""Atomic and durable writes: a file is whole or not there, whenever the process or the machine dies."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO, Literal


def part_of(path: Path) -> Path:
    """Return where `write_atomically` writes a file before it renames it."""
    return path.with_name(f".{path.name}.part")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a temporary file beside its place, fsync it, and only then rename it.

    Raises
    ------
    OSError
        Where that fails. What was at ``path`` before is still there then, and nothing else is.
    """
    temporary = part_of(path)
    try:
        with _open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _fsync_folder(path.parent)


def append_at(path: Path, length: int, content: bytes) -> None:
    """Truncate a file to its first ``length`` bytes, append ``content``, and fsync it.

    So that a retry after an append that failed half way through writes nothing twice, and empty content
    undoes it.

    Raises
    ------
    OSError
        Where that fails. The first ``length`` bytes are still there then.
    ValueError
        For a file that is shorter than ``length``.
    """
    is_new = not path.exists()
    with _open(path, "wb" if is_new else "r+b") as file:
        if os.fstat(file.fileno()).st_size < length:
            raise ValueError(f"{path} is shorter than the {length} bytes it must begin with")
        file.truncate(length)
        file.seek(length)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _fsync_folder(path.parent)


def _open(path: Path, mode: Literal["wb", "r+b"]) -> BinaryIO:
    """Open a file, not one that a symbolic link in its place leads to."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)

    return open(path, mode, opener=opener)


def _fsync_folder(folder: Path) -> None:
    """Fsync the directory so that the rename or the new file survives a crash, where possible."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
