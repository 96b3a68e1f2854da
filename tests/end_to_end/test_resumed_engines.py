"""Branches and personal models go on where a run was killed, under Ray as in process.

Slow: each run starts Flower as a user does, and nodes have other ids in each.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from pawbrofl_app.command import main
from pawbrofl_app.records.run_folder import RunFolder

pytestmark = pytest.mark.slow

GIVEN = (
    "attack='none' minority='rotated' branches=2 personalization='ditto(lambda=0.1)' "
    "fraction-evaluate=1.0 network='perceptron' num-rounds=5 local-epochs=3 figures=false"
)


def killed_after(server_round: int, folder: Path) -> None:
    """Start the run under Ray and interrupt it once a checkpoint of a round is there."""
    command = [sys.executable, "-m", "pawbrofl_app.command", "run", "--run-config"]
    running = subprocess.Popen(
        [*command, f"{GIVEN} results-dir='{folder}'"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 1200
    while not (folder / "checkpoints" / f"round-{server_round:06d}.checkpoint").is_file():
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)
    running.wait(600)
    assert not RunFolder(folder).is_finished


@pytest.mark.long
def test_branches_and_personal_models_resume_under_ray(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["run", "--engine", "in-process", "--run-config", f"{GIVEN} results-dir='{whole}'"]) == 0
    killed_after(3, parts)
    assert main(["resume", str(parts)]) == 0
    run, expected = RunFolder(parts), RunFolder(whole)
    assert expected.clients["branch"].max() == 1
    for table in ("clients", "evaluations", "groups"):
        ours, theirs = (
            getattr(each, table).drop(columns="node", errors="ignore") for each in (run, expected)
        )
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    for name in ("model.pt", "model-branch-1.pt"):
        model, whole_model = (torch.load(folder / name, weights_only=True) for folder in (parts, whole))
        assert all(torch.equal(model[key], whole_model[key]) for key in whole_model)
    assert run.summary == expected.summary
