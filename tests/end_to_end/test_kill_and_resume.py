"""A run that is killed (kill -9) at random moments and resumed ends as one that was never interrupted.

Moments are random in time, which mostly hits training, and random among the steps of writing to the
disk. The run draws 3 of its 20 clients in each round, so the draws must go on as well.
"""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pawbrofl_app.records.layout import SECONDS
from pawbrofl_app.records.run_folder import RunFolder

from .resumable_run import NUM_ROUNDS, settings_of, start

pytestmark = pytest.mark.slow

FINISHED_FOLDER = {
    "clients.csv",
    "evaluations.csv",
    "model.pt",
    "rounds.csv",
    "settings.toml",
    "summary.json",
    "versions.json",
}


@pytest.fixture(scope="module")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, default_settings: dict[str, Any]
) -> tuple[Path, float]:
    """The folder of a run that nobody killed, and how many seconds it took."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    started = time.monotonic()
    finish(settings_of(default_settings, folder))
    return folder, time.monotonic() - started


def finish(settings: dict[str, Any]) -> None:
    process = start(settings)
    process.join(600)
    assert process.exitcode == 0


def check_same(folder: Path, other: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FINISHED_FOLDER
    run, expected = RunFolder(folder), RunFolder(other)
    ours, theirs = (torch.load(each.model_path, weights_only=True) for each in (run, expected))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    for rows, same in (
        (run.rounds.drop(columns=SECONDS), expected.rounds.drop(columns=SECONDS)),
        (run.clients, expected.clients),
        (run.evaluations, expected.evaluations),
    ):
        pd.testing.assert_frame_equal(rows, same, check_exact=True)
    ours, theirs = (json.loads((each / "summary.json").read_text()) for each in (folder, other))
    assert ours | {"finished": "", "seconds": 0} == theirs | {"finished": "", "seconds": 0}


def test_killed_at_random_times(
    uninterrupted: tuple[Path, float], defaults: dict[str, Any], tmp_path: Path
) -> None:
    whole, seconds = uninterrupted
    moments = random.Random(8)
    kills = 0
    for attempt in range(30):
        folder = tmp_path / f"run-{attempt}"
        settings = settings_of(defaults, folder)
        longest = seconds / 2
        while True:
            started = time.monotonic()
            process = start(settings)
            process.join(moments.uniform(0.1 * seconds, longest))
            longest *= 1.2  # on a machine that became slower, the run must get further at some time
            process.kill()
            process.join()
            if process.exitcode == 0:
                # On one that became faster, the next runs must be killed sooner.
                seconds = min(seconds, time.monotonic() - started)
                break
            assert process.exitcode == -signal.SIGKILL
            kills += 1
        check_same(folder, whole)
        if kills >= 12:
            return
    pytest.fail(f"only {kills} runs could be killed before they had ended")


def test_killed_at_random_steps_of_writing(
    uninterrupted: tuple[Path, float], defaults: dict[str, Any], tmp_path: Path
) -> None:
    moments = random.Random(8)
    folder = tmp_path / "run"
    settings = settings_of(defaults, folder)
    for _ in range(12):
        process = start(settings, dies_at=moments.randint(1, 12))
        process.join(600)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    finish(settings)
    check_same(folder, uninterrupted[0])


def test_a_damaged_checkpoint_costs_a_round_only(
    uninterrupted: tuple[Path, float], defaults: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    settings = settings_of(defaults, folder)
    process = start(settings)
    checkpoints = folder / "checkpoints"
    while not (checkpoints / "round-000003.checkpoint").is_file():
        time.sleep(0.01)
    process.kill()
    process.join()
    newest = max(checkpoints.glob("*.checkpoint"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    finish(settings)
    check_same(folder, uninterrupted[0])


def test_a_finished_run_is_left_as_it_is(
    uninterrupted: tuple[Path, float], defaults: dict[str, Any]
) -> None:
    folder, _ = uninterrupted
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    finish(settings_of(defaults, folder))
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert len(RunFolder(folder).rounds) == NUM_ROUNDS + 1
