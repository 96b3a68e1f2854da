"""Files that are whole or not there, whenever the process or the machine dies."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place, have it on the disk, and only then move it there.

    Raises
    ------
    OSError
        Where that fails. What was at ``path`` before is still there then, and nothing else is.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def append_at(path: Path, length: int, content: bytes) -> None:
    """Make a file of its first ``length`` bytes and ``content``, and have it on the disk.

    So that an append that failed half way through can be made again, or undone with empty content.

    Raises
    ------
    OSError
        Where that fails. The first ``length`` bytes are still there then.
    ValueError
        For a file that is shorter than ``length``.
    """
    is_new = not path.exists()
    with path.open("wb" if is_new else "r+b") as file:
        if os.fstat(file.fileno()).st_size < length:
            raise ValueError(f"{path} is shorter than the {length} bytes it must begin with")
        file.truncate(length)
        file.seek(length)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Have a folder's list of names on the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
