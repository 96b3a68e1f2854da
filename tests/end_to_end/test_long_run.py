"""Two hundred rounds of fifty clients: memory stays flat, nothing is left open or running."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from torch import nn

from pawbrofl_app import server_app
from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.method import method_of
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.evaluation import Evaluation
from pawbrofl_app.tasks.networks import NETWORKS

pytestmark = pytest.mark.slow

NUM_ROUNDS = 200
NUM_CLIENTS = 50
THIS = psutil.Process()


class TinyNetwork(nn.Sequential):
    def __init__(self, *_: object) -> None:
        super().__init__(nn.Flatten(), nn.Linear(28 * 28, 10))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Train a tiny network; the list holds the resident memory after every round's evaluation."""
    sizes: list[int] = []

    def evaluate(*_: Any) -> Evaluation:
        sizes.append(THIS.memory_info().rss)
        return Evaluation(0.5, 1.0, 0.0)

    monkeypatch.setattr(
        server_app, "method_of", lambda config: replace(method_of(config), evaluate=evaluate)
    )
    monkeypatch.setitem(NETWORKS, "cnn", f"{__name__}:TinyNetwork")
    return sizes


@pytest.mark.long
def test_memory_stays_flat_and_nothing_is_left_open(
    tiny: list[int], defaults: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "flwr")  # pytest would keep every line in memory
    files, threads, children = THIS.num_fds(), threading.active_count(), THIS.children()
    settings: dict[str, Any] = {
        "num-clients": NUM_CLIENTS,
        "num-rounds": NUM_ROUNDS,
        "local-epochs": 1,
        "batch-size": 32,
        "figures": False,
        "results-dir": str(tmp_path / "run"),
    }
    run_in_this_process(RunConfig.parse(defaults | settings))
    assert len(RunFolder(tmp_path / "run").clients) == NUM_ROUNDS * NUM_CLIENTS
    assert len(tiny) == NUM_ROUNDS + 1
    middle, end = (np.median(tiny[start : start + 30]) for start in (70, 170))
    assert end - middle < 4 * 2**20, f"grew by {(end - middle) / 2**20:.1f} MiB in a hundred rounds"
    assert THIS.num_fds() <= files
    assert threading.active_count() == threads
    assert THIS.children() == children
