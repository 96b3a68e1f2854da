"""The results folder before a run: one of its own, taken over by the run, and left to one at a time."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pawbrofl_app import command
from pawbrofl_app.records.reserved_folder import reserved_folder
from pawbrofl_app.records.summary import RunSummary
from pawbrofl_app.records.writer import RunWriter
from pawbrofl_app.settings.command_line import read_settings
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig


def test_a_run_that_still_goes_on_is_not_resumed(
    records: RunWriter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert command.main(["resume", str(records.run.path)]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: results-dir ")
    assert "must not be that of a run which is still going on" in errors


def test_a_finished_run_says_so_and_nothing_starts(
    records: RunWriter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    records.save_summary(RunSummary.of(records.rounds, records.clients, records.groups, [2]))
    assert command.main(["resume", str(records.run.path)]) == 0
    assert "is finished, there is nothing to resume" in capsys.readouterr().out


def test_runs_that_start_in_the_same_second_have_folders_of_their_own(
    tmp_path: Path, defaults: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda _: "20261124-091300")
    config = RunConfig.parse(defaults)
    with reserved_folder(config, tmp_path) as first, reserved_folder(config, tmp_path) as second:
        folders = [one.results.results_dir for one in (first, second)]
        assert folders == [str(tmp_path / "20261124-091300"), str(tmp_path / "20261124-091300-2")]
    assert list(tmp_path.iterdir()) == [], "a run that never began leaves no folder"


def test_the_settings_of_a_run_can_be_given_again(records: RunWriter, config: RunConfig) -> None:
    again = read_settings([str(records.run.path / "settings.toml")], Path("/elsewhere"))
    assert again == config.replace(results_dir="")


def test_a_folder_is_reserved_for_one_run_alone(config: RunConfig, tmp_path: Path) -> None:
    with reserved_folder(config, tmp_path) as reserved:
        assert Path(config.results.results_dir).is_dir()
        with pytest.raises(InvalidSetting, match="must be a folder that does not exist yet"):
            reserved_folder(config, tmp_path).__enter__()
        (Path(reserved.results.results_dir) / "begun").touch()
    assert Path(config.results.results_dir).is_dir(), "what a run wrote stays"


def test_a_folder_that_cannot_be_written_to_is_named_before_a_resumed_run_starts(
    records: RunWriter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records.close()
    monkeypatch.setattr(subprocess, "Popen", None)
    (records.run.path / ".lock").mkdir()  # stands for a read-only disk, which root can write to
    assert command.main(["resume", str(records.run.path)]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: results-dir {str(records.run.path)!r} cannot be written to: ")
    (records.run.path / ".lock").rmdir()
