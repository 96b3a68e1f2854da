"""The results folder, made or claimed first, so that what is amiss shows before anything starts."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

from ..settings.run_config import InvalidSetting, RunConfig
from .folder_lock import claim, release
from .resumption import check_resumable


def new_folder(given: str, parent: Path) -> Path:
    """Make a results folder: the given one, or else one in ``parent`` that is named by the time.

    Raises
    ------
    FileExistsError
        Where the given one exists.
    InvalidSetting
        Where it cannot be made.
    """
    if given:
        return _made(Path(given))
    now = time.strftime("%Y%m%d-%H%M%S")
    for name in itertools.chain([now], (f"{now}-{number}" for number in itertools.count(2))):
        with contextlib.suppress(FileExistsError):
            return _made(parent / name)
    raise AssertionError("some name is free")


@contextlib.contextmanager
def reserved_folder(config: RunConfig, parent: Path) -> Iterator[RunConfig]:
    """Make or claim the results folder of a run that is about to start, perhaps in other processes.

    Parameters
    ----------
    config : RunConfig
    parent : Path
        Where a new folder goes if the settings name none.

    Yields
    ------
    RunConfig
        Settings with which the run takes the folder over. If it never does, the folder is removed.

    Raises
    ------
    InvalidSetting
        Where the run cannot write there.
    """
    given = config.results.results_dir
    try:
        folder = new_folder(given, parent)
    except FileExistsError:
        check_resumable(config)
        folder = Path(given)
        release(claim(folder))
    try:
        yield config.replace(results_dir=str(folder), resume=True)
    finally:
        with contextlib.suppress(OSError):  # it is not empty
            folder.rmdir()


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise
    except OSError as problem:
        raise InvalidSetting(f"results-dir {str(folder)!r} cannot be made: {problem}") from problem
    return folder
