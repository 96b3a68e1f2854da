"""A short run in a process of its own, quick to start and easy to kill.

A server process imports what a run needs and loads the data once; every run is forked from it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from pawbrofl_app.in_process_run import (
    run_in_this_process,  # imports all that a run needs, before forking
)
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.datasets import load_task

torch.set_num_threads(1)
load_task("digits")

NUM_ROUNDS = 5
SHORT: dict[str, Any] = {
    "num-clients": 20,
    "fraction-fit": 0.15,
    "fraction-evaluate": 0.25,
    "num-rounds": NUM_ROUNDS,
    "network": "perceptron",
    "local-epochs": 1,
    "batch-size": 24,
    "figures": False,
}


def settings_of(defaults: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the settings of the run, which resumes whatever is in its folder."""
    return defaults | SHORT | {"results-dir": str(folder), "resume": True}


def start(settings: dict[str, Any], dies_at: int = 0) -> BaseProcess:
    """Start the run; where ``dies_at`` is n, it kills itself at its n-th step of writing to the disk."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_run, args=(settings, dies_at), daemon=True)
    process.start()
    return process


def _run(settings: dict[str, Any], dies_at: int) -> None:
    if dies_at:
        _die_at_step(dies_at)
    run_in_this_process(RunConfig.parse(settings))


def _die_at_step(number: int) -> None:
    """Count the calls that bring something to the disk, and die by SIGKILL before one of them."""
    calls = {"fsync": os.fsync, "replace": os.replace}
    done = 0

    def counted(name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            if done == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return calls[name](*arguments, **options)

        return call

    os.fsync = counted("fsync")
    os.replace = counted("replace")
