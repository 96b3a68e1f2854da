"""Runs the cells of a study side by side, each once, and goes on where an earlier run stopped.

A cell's folder lies in the study's folder. One that is not finished is what a killed or failed run left:
a killed one goes on after its last checkpoint, a failed one is started afresh.
Every cell has a process of its own, so that one that crashes takes no other with it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from pawbrofl_app.records.resumption import check_resumable, differing_settings
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig

from .cell import Cell, run_module
from .study import Study

Engine = Literal["in-process", "ray"]
SECONDS_BETWEEN_LOOKS = 1.0
IMPORTED_BEFOREHAND = [
    "pawbrofl_app.in_process_run",
    "sklearn.datasets",
    "sklearn.model_selection",
]


@dataclass(frozen=True)
class CellFolder:
    """Where a cell's records are, and what they say of its progress."""

    cell: Cell
    path: Path

    @property
    def run(self) -> RunFolder:
        """What the cell's run recorded."""
        return RunFolder(self.path)

    @property
    def log(self) -> Path:
        """The log of the cell's last try, beside its folder."""
        return self.path.parent / f"{self.path.name}.log"

    @property
    def finished(self) -> bool:
        """Whether the cell has run to its end, with what are its settings now.

        A cell's name tells what is off the defaults, its records tell whether those were others then.
        """
        run = self.run
        return run.is_finished and not differing_settings(self.cell.config, run.settings)

    @property
    def failed(self) -> bool:
        """Whether the cell's last try ended with an error. A try that was killed did not fail."""
        return not self.finished and self.failure.is_file()

    @property
    def failure(self) -> Path:
        """Marks a cell whose last try raised."""
        return self.path.parent / f"{self.path.name}.failed"


def folders_of(study: Study, results: Path) -> list[CellFolder]:
    """Return the folders of a study's cells, whether or not they exist, under ``results/<study>``."""
    return [CellFolder(cell, results / study.name / cell.name) for cell in study.cells]


def run_cells(
    folders: Sequence[CellFolder],
    jobs: int,
    engine: Engine = "in-process",
    watch: Callable[[CellFolder | None], None] = lambda _: None,
) -> list[CellFolder]:
    """Run the cells that are not finished and return those that failed.

    Parameters
    ----------
    folders : sequence of CellFolder
    jobs : int
        How many cells to run at once.
    engine : "in-process" or "ray"
        Ray shares the cores among the clients of one cell, so one job is enough for it.
    watch : callable
        Called with every cell that ended, and with None about every second, to show progress.
    """
    processes = _process_context()
    waiting = [folder for folder in folders if not folder.finished][::-1]
    running: list[tuple[BaseProcess, CellFolder]] = []
    failed = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                folder = waiting.pop()
                process = processes.Process(target=run_cell, args=(folder, engine), daemon=True)
                process.start()
                running.append((process, folder))
            wait([process.sentinel for process, _ in running], SECONDS_BETWEEN_LOOKS)
            ended = [entry for entry in running if not entry[0].is_alive()]
            running = [entry for entry in running if entry not in ended]
            for _, folder in ended:
                if not folder.finished:
                    folder.failure.touch()
                    failed.append(folder)
                watch(folder)
            watch(None)
    finally:
        for left, _ in running:
            left.kill()
    return failed


def _process_context() -> SpawnContext | ForkServerContext:
    """Return how to start processes: by fork from a server that has imported the app and done nothing.

    A fork of this process would inherit PyTorch's thread pools in the middle of something.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED_BEFOREHAND)
    return context


def run_cell(folder: CellFolder, engine: Engine) -> None:
    """Run one cell to its end, in a process of its own, with everything it prints in its log."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    config = folder.cell.config.replace(results_dir=str(folder.path.resolve()), resume=True)
    goes_on = not folder.failed and _can_go_on(config)
    if not goes_on:
        shutil.rmtree(folder.path, ignore_errors=True)
    folder.failure.unlink(missing_ok=True)
    with folder.log.open("a" if goes_on else "w") as log:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(log.fileno(), stream.fileno())
    started = time.perf_counter()
    _run(folder.cell, config, engine)
    print(f"finished in {time.perf_counter() - started:.1f} s")


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


def _end_with_parent() -> None:
    """End this process when the study's is gone, so that no cell is run twice at the same time."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
