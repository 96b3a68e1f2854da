"""TensorBoard event files, read back as TensorBoard reads them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pawbrofl_app.command import main
from pawbrofl_app.records.event_files import TensorBoardEvents, tag_of
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings import machine_check
from pawbrofl_app.settings.machine_check import check_machine
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig

SHORT = (
    "network='perceptron' num-rounds=2 num-clients=4 local-epochs=1 malicious-fraction=0.25 epsilon=0.25"
    " fraction-evaluate=1.0 figures=false"
)


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_a_run_s_event_files_hold_what_its_rounds_hold(tmp_path: Path) -> None:
    settings = f"{SHORT} tensorboard=true results-dir='{tmp_path / 'run'}'"
    assert main(["run", "--engine", "in-process", "--run-config", settings]) == 0
    rounds = RunFolder(tmp_path / "run").rounds.set_index("round").dropna(axis="columns", how="all")
    scalars = shown(tmp_path / "run")
    assert set(scalars) == {tag_of(name) for name in rounds.columns}
    for name, column in rounds.items():
        known = column.dropna()
        steps, values = zip(*scalars[tag_of(str(name))], strict=True)
        assert list(steps) == list(known.index), name
        assert values == pytest.approx(known.tolist(), rel=1e-6), "event files hold float32"
    assert tag_of("worst_honest_accuracy") == "own data/worst_honest_accuracy"


def test_a_minority_s_and_the_majority_s_accuracies_are_curves(tmp_path: Path) -> None:
    settings = f"{SHORT} tensorboard=true minority='rotated' results-dir='{tmp_path / 'run'}'"
    assert main(["run", "--engine", "in-process", "--run-config", settings]) == 0
    scalars = shown(tmp_path / "run")
    groups = RunFolder(tmp_path / "run").groups
    for group, rows in groups.groupby("group"):
        steps, values = zip(*scalars[f"accuracy by group/{group}"], strict=True)
        assert list(steps) == [0, 1, 2]
        assert values == pytest.approx(rows["accuracy"].tolist(), rel=1e-6)
        assert [step for step, _ in scalars[f"worst_accuracy by group/{group}"]] == [1, 2]


def test_rounds_that_are_done_again_are_shown_once(tmp_path: Path) -> None:
    for first, accuracy in ((0, 0.25), (2, 0.5)):
        events = TensorBoardEvents(tmp_path)
        for server_round in range(first, 4):
            events.add_round({"round": server_round, "test_accuracy": accuracy, "largest_gap": math.nan})
        events.close()
    assert shown(tmp_path) == {"test/test_accuracy": [(0, 0.25), (1, 0.25), (2, 0.5), (3, 0.5)]}


def test_without_the_setting_there_are_none(tmp_path: Path) -> None:
    settings = f"{SHORT} results-dir='{tmp_path / 'run'}'"
    assert main(["run", "--engine", "in-process", "--run-config", settings]) == 0
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_missing_package_is_named_before_the_first_round(
    defaults: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_check, "find_spec", lambda name: None)
    config = RunConfig.parse(defaults | {"tensorboard": True})
    with pytest.raises(InvalidSetting, match=r"tensorboard must be false .* '\.\[tensorboard\]'"):
        check_machine(config)
    check_machine(RunConfig.parse(defaults))


def test_a_disk_that_takes_nothing_ends_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    events = TensorBoardEvents(tmp_path)
    events.add_round({"round": 0, "test_accuracy": 0.5})
    events.close()
    assert any("cannot be written to" in line for line in caplog.messages)
