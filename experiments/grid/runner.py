"""Runs the cells of a study side by side, each once, and goes on where an earlier run stopped.

A cell's folder lies in the study's folder. One that is not finished is what a killed or failed run left:
a killed one goes on after its last checkpoint, a failed one is started afresh. In-process cells follow
each other in a few worker processes, in which imports and data stay; one that crashes ends its own.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

from .cell_folder import CellFolder
from .cell_run import Engine, run_cell

SECONDS_BETWEEN_LOOKS = 1.0
IMPORTED_BEFOREHAND = [
    "pawbrofl_app.in_process_run",
    "sklearn.datasets",
    "sklearn.model_selection",
]
Watch = Callable[[CellFolder | None, Sequence[CellFolder]], None]


def run_cells(
    folders: Sequence[CellFolder],
    jobs: int,
    engine: Engine = "in-process",
    watch: Watch = lambda *_: None,
    seconds: float = math.inf,
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
        Called with every cell that ended, and with None about every second, to show progress; and with
        the cells that are running.
    seconds : float
        After which no cell is begun any more.
    """
    context, until = _process_context(), time.monotonic() + seconds
    waiting = [folder for folder in folders if not folder.finished][::-1]
    workers: list[_Worker] = []
    failed: list[CellFolder] = []
    try:
        while True:
            if time.monotonic() >= until:
                waiting.clear()
            free = [worker for worker in workers if worker.folder is None]
            while waiting and (free or len(workers) < jobs):
                if not free:
                    free.append(_Worker.start(context, engine))
                    workers.append(free[-1])
                free.pop().begin(waiting.pop())
            busy = {worker.connection: worker for worker in workers if worker.folder}
            if not busy:
                return failed
            for connection in wait(list(busy), SECONDS_BETWEEN_LOOKS):
                worker = busy[connection]  # type: ignore[index]
                ended = worker.end(engine)
                if not worker.is_alive:
                    workers.remove(worker)
                if not ended.finished:
                    ended.failure.touch()
                    failed.append(ended)
                watch(ended, [one.folder for one in workers if one.folder])
            watch(None, [one.folder for one in workers if one.folder])
    finally:
        for worker in workers:
            worker.process.kill()


@dataclass
class _Worker:
    """A process that runs one cell after the other; one cell alone where Ray does."""

    process: BaseProcess
    connection: Connection
    folder: CellFolder | None = None
    is_alive: bool = True

    @classmethod
    def start(cls, context: SpawnContext | ForkServerContext, engine: Engine) -> _Worker:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, engine), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def begin(self, folder: CellFolder) -> None:
        self.folder = folder
        self.connection.send(folder)

    def end(self, engine: Engine) -> CellFolder:
        """Take note that the cell ended, or the process did."""
        assert self.folder is not None
        ended, self.folder = self.folder, None
        try:
            self.connection.recv()
        except (EOFError, OSError):
            self.is_alive = False
        if engine == "ray":
            self.is_alive = False
        if not self.is_alive:
            self.connection.close()
            self.process.join()
        return ended


def _work(connection: Connection, engine: Engine) -> None:
    """Run the cells that are named, until none is any more."""
    end_with_parent()
    while True:
        try:
            folder = connection.recv()
        except EOFError:
            return
        try:
            run_cell(folder, engine)
        except Exception:  # noqa: BLE001  it is in the cell's log, and the cell is not finished
            traceback.print_exc()
        connection.send(None)
        if engine == "ray":
            return


def _process_context() -> SpawnContext | ForkServerContext:
    """Return how to start processes: by fork from a server that has imported the app and done nothing.

    A fork of this process would inherit PyTorch's thread pools in the middle of something.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED_BEFOREHAND)
    return context


def end_with_parent() -> None:
    """End this process once the one that started it is gone: nothing is done twice, or stays behind."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
