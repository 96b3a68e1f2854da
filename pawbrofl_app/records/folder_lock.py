"""One writer for a run's folder: a lock file that the operating system frees when the process dies."""

from __future__ import annotations

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from ..settings.run_config import InvalidSetting

LOCK = ".lock"


def claim(folder: Path) -> BaseFileLock:
    """Keep other processes from writing to a run's folder, until `release` or this one's end.

    Raises
    ------
    InvalidSetting
        Where another process has it, or the folder cannot be written to.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InvalidSetting(
            f"results-dir {str(folder)!r} must not be that of a run which is still going on"
        ) from None
    except OSError as problem:
        raise InvalidSetting(f"results-dir {str(folder)!r} cannot be written to: {problem}") from problem
    return lock


def release(lock: BaseFileLock) -> None:
    """Let other processes write to the folder, and leave no lock file."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
