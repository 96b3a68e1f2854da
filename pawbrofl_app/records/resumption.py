"""Whether a run may go on in a folder that exists: only with the settings that it began with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..settings.run_config import SECTIONS, SETTINGS, InvalidSetting, RunConfig
from . import layout
from .atomic_files import part_of
from .folder_lock import LOCK
from .run_folder import RunFolder, UnreadableRun

MAY_DIFFER = frozenset(name.replace("_", "-") for name in SECTIONS["rounds"] | SECTIONS["results"])
"""Settings that a resumed run may change, as none of them changes what is computed."""
FORMER = frozenset({"tensorboard"})
"""Settings that there are no more, of which the same is true."""


def check_resumable(config: RunConfig) -> None:
    """Check that a run may use the results folder, which exists: to resume the same run in it.

    Raises
    ------
    InvalidSetting
        Where ``resume`` is false, the folder is no run's, settings differ from those recorded in it, or
        what the run goes on from is damaged.
    """
    given = config.results.results_dir
    if not config.results.resume:
        raise InvalidSetting(
            f"results-dir must be a folder that does not exist yet, got {given!r}: "
            "nothing was written over"
        )
    run = RunFolder(given)
    if not run.is_run:
        killed_before_it_began = {LOCK, part_of(run.path / layout.SETTINGS).name}
        if run.path.is_dir() and {path.name for path in run.path.iterdir()} <= killed_before_it_began:
            return
        raise InvalidSetting(f"results-dir {given!r} is not the folder of a run")
    try:
        recorded = run.settings
        if (run.path / layout.VERSIONS).exists():
            _ = run.versions  # what they are is told when the run goes on
    except UnreadableRun as problem:
        raise InvalidSetting(str(problem)) from problem
    for name, (then, now) in differing_settings(config, recorded).items():
        raise InvalidSetting(f"{name} must be {then!r} as in the run to resume, got {now!r}")
    _check_files(run)


def differing_settings(config: RunConfig, recorded: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what would be computed otherwise than in a run that began with the recorded settings.

    Returns
    -------
    dict
        By the setting's name, its recorded value and that of ``config``; None for one that there is no
        more. A setting that is newer than the record was at its default there.
    """
    now = config.as_settings()
    then = {name: SETTINGS[name].default for name in now} | dict(recorded)
    names = sorted((set(now) | set(then)) - MAY_DIFFER - FORMER)
    return {name: (then[name], now.get(name)) for name in names if then[name] != now.get(name)}


def _check_files(run: RunFolder) -> None:
    """Check that the newest checkpoint is whole, and so are the rows that were recorded before it."""
    for path in run.path.rglob("*"):
        if path.is_symlink():
            raise InvalidSetting(f"results-dir must hold no symbolic links to be resumed, got {path}")
    if run.is_finished:
        return
    from .checkpoint import CheckpointFolder, DamagedCheckpoint  # imports Flower

    anew = f"remove {run.checkpoints_path} to begin with round 1"
    try:
        checkpoint = CheckpointFolder(run.checkpoints_path).newest()
        lengths = checkpoint.record_lengths if checkpoint else {}
        for table in layout.TABLES:
            length = lengths.get(table.file, 0)
            rows = (run.path / table.file).read_bytes()[:length] if length else b""
            if len(rows) < length:
                raise ValueError(f"{table.file} is shorter than the {length} bytes it must begin with")
            if list(table.read(rows.decode())) != list(table.columns):
                raise ValueError(f"{table.file} has other columns than {', '.join(table.columns)}")
    except DamagedCheckpoint as problem:
        raise InvalidSetting(f"results-dir cannot be resumed: {problem}; {anew}") from problem
    except (OSError, ValueError) as problem:
        raise InvalidSetting(
            f"results-dir {str(run.path)!r} cannot be resumed, records are damaged: {problem}; {anew}"
        ) from problem
