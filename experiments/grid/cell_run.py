"""Runs one cell of a study in this process, with everything it prints in its log."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from pawbrofl_app.records.layout import SETTINGS, SUMMARY
from pawbrofl_app.records.resumption import check_resumable
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig

from .cell import Cell, run_module
from .cell_folder import CellFolder

Engine = Literal["in-process", "ray"]
IN_MEMORY = Path("/dev/shm")
"""Where records that are not kept are written, if there is such a place: each row costs an fsync."""


def run_cell(folder: CellFolder, engine: Engine) -> None:
    """Run one cell to its end: on from where a killed run stopped, or afresh."""
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    if folder.summary_only:
        _run_for_summary(folder, engine)
        return
    config = folder.cell.config.replace(results_dir=str(folder.path.resolve()), resume=True)
    goes_on = not folder.failed and _can_go_on(config)
    if not goes_on:
        shutil.rmtree(folder.path, ignore_errors=True)
    folder.failure.unlink(missing_ok=True)
    _print_into(folder.log, "a" if goes_on else "w")
    started = time.perf_counter()
    _run(folder.cell, config, engine)
    print(f"finished in {time.perf_counter() - started:.1f} s")


def _run_for_summary(folder: CellFolder, engine: Engine) -> None:
    """Run one cell and keep its settings and summary, and its log if it fails."""
    folder.failure.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as scratch:
        records, log = Path(scratch) / "run", Path(scratch) / "log"
        _print_into(log, "w")
        try:
            _run(folder.cell, folder.cell.config.replace(results_dir=str(records)), engine)
        except BaseException:
            shutil.copy(log, folder.log)
            _print_into(folder.log, "a")
            raise
        folder.path.mkdir(exist_ok=True)
        shutil.copy(records / SETTINGS, folder.path)
        part = folder.path / f".{SUMMARY}.part"
        shutil.copy(records / SUMMARY, part)
        part.replace(folder.path / SUMMARY)


def _print_into(log: Path, mode: Literal["a", "w"]) -> None:
    """Send all that this process and its libraries print to a file."""
    with log.open(mode) as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


def _can_go_on(config: RunConfig) -> bool:
    """Return whether the folder of a cell is what the same run left when it was killed."""
    if not Path(config.results.results_dir).is_dir():
        return False
    try:
        check_resumable(config)
    except InvalidSetting:
        return False
    return True


def _run(cell: Cell, config: RunConfig, engine: Engine) -> None:
    if cell.run:
        run_module(cell.run).run(config, cell.extra)
    elif engine == "in-process":
        from pawbrofl_app.in_process_run import run_in_this_process

        run_in_this_process(config)
    else:
        from pawbrofl_app.engines.ray_simulation import simulate

        if simulate(config):
            raise RuntimeError("the simulation did not finish")
