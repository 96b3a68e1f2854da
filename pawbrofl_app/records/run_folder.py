"""Which folder a run writes to: a new one, or that of the run which it resumes."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from ..settings.run_config import InvalidSetting, RunConfig

DEFAULT_RESULTS = Path.home() / "pawbrofl-results"
SETTINGS = "settings.toml"
LOCK = ".lock"
MAY_DIFFER = frozenset(
    {
        "checkpoint-every",
        "figures",
        "min-fit-clients",
        "results-dir",
        "resume",
        "round-attempts",
        "round-timeout",
        "start-timeout",
        "tensorboard",
    }
)
"""Settings that a resumed run may change, as none of them changes what is computed."""


def folder_of(config: RunConfig) -> Path:
    """Return the folder that a run writes to, and make it if it is a new one.

    Raises
    ------
    InvalidSetting
        As `check_existing`, or where the folder cannot be made.
    """
    given = config.results.results_dir
    folder = Path(given) if given else DEFAULT_RESULTS / time.strftime("%Y%m%d-%H%M%S")
    if config.results.resume and not given:
        raise InvalidSetting("results-dir must name the folder of the run to resume, got ''")
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        check_existing(config)
    except OSError as problem:
        raise InvalidSetting(f"results-dir {str(folder)!r} cannot be made: {problem}") from problem
    return folder


def check_existing(config: RunConfig) -> None:
    """Check that a run may use a results folder that exists: to resume the same run in it.

    Raises
    ------
    InvalidSetting
        Where ``resume`` is false, the folder is no run's, or settings differ from those recorded in it.
    """
    folder = Path(config.results.results_dir)
    if not config.results.resume:
        raise InvalidSetting(
            "results-dir must be a folder that does not exist yet, got "
            f"{config.results.results_dir!r}: nothing was written over"
        )
    try:
        recorded = tomllib.loads((folder / SETTINGS).read_text())
    except FileNotFoundError:
        left = [path.name for path in folder.iterdir()]
        if set(left) <= {LOCK, f".{SETTINGS}.part"}:
            return  # killed before it had begun
        raise InvalidSetting(
            f"results-dir {config.results.results_dir!r} is not the folder of a run"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise InvalidSetting(f"{folder / SETTINGS} cannot be read: {problem}") from problem
    now = config.as_settings()
    for name in sorted((set(now) | set(recorded)) - MAY_DIFFER):
        if now.get(name) != recorded.get(name):
            raise InvalidSetting(
                f"{name} must be {recorded.get(name)!r} as in the run to resume, got {now.get(name)!r}"
            )


def claim(folder: Path) -> BaseFileLock:
    """Keep other processes from writing to a run's folder, until the lock is released or this one dies.

    Raises
    ------
    InvalidSetting
        Where another process has it.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InvalidSetting(
            f"results-dir {str(folder)!r} must not be that of a run which is still going on"
        ) from None
    return lock
