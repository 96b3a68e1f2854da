"""What the ServerApp hands to the loop: when checkpoints are written, how many clients it waits for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pawbrofl_app import server_app
from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.records.checkpoint import Checkpoint, CheckpointFolder
from pawbrofl_app.records.writer import RunWriter
from pawbrofl_app.settings.run_config import RunConfig
from strategies import PAwBRoFL

SMALL = {
    "num-clients": 4,
    "num-rounds": 3,
    "local-epochs": 1,
    "training-samples": 80,
    "network": "logistic",
    "attack": "none",
    "figures": False,
    "checkpoint-every": 2,
}


@pytest.fixture
def config(tmp_path: Path, defaults: dict[str, Any]) -> RunConfig:
    return RunConfig.parse(defaults | SMALL | {"results-dir": str(tmp_path / "run")})


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rounds after which a checkpoint is written."""
    rounds: list[int] = []

    def note(_: CheckpointFolder, checkpoint: Checkpoint) -> None:
        assert checkpoint.record_lengths["rounds.csv"] > 0
        rounds.append(checkpoint.server_round)

    monkeypatch.setattr(CheckpointFolder, "save", note)
    return rounds


def test_a_checkpoint_is_written_every_so_many_rounds_and_after_the_last(
    config: RunConfig, saved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[PAwBRoFL] = []

    class Noted(PAwBRoFL):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            made.append(self)

    monkeypatch.setattr(server_app, "PAwBRoFL", Noted)
    run_in_this_process(config)
    assert saved == [2, 3]
    assert made[0].min_available_clients == config.needed_replies == 3


def test_none_is_written_while_rows_are_missing(
    config: RunConfig, saved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that went on after it would have rounds without rows."""
    monkeypatch.setattr(RunWriter, "lengths", property(lambda _: None))
    run_in_this_process(config)
    assert saved == []
