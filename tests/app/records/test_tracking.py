"""Experiment trackers: their stores hold what the records hold, and what they raise ends no run."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pawbrofl_app import trackers
from pawbrofl_app.command import main
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.records.tracking import Tracking, tag_of
from pawbrofl_app.settings.machine_check import check_machine
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.trackers import NO_TRACKER, TRACKERS, Tracker, tracker_named

Points = dict[str, list[tuple[int, float]]]
SHORT = (
    "network='perceptron' num-rounds=2 num-clients=4 local-epochs=1 malicious-fraction=0.25 epsilon=0.25"
    " fraction-evaluate=1.0 figures=false training-samples=300"
)


def run(folder: Path, settings: str) -> RunFolder:
    given = f"{SHORT} {settings} results-dir='{folder}'"
    assert main(["run", "--engine", "in-process", "--run-config", given]) == 0
    return RunFolder(folder)


def in_event_files(folder: Path) -> Points:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def in_store(uri: str, run_id: str) -> Points:
    """Return an MLflow run's metrics, read by MLflow."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    return {
        name: [(point.step, point.value) for point in client.get_metric_history(run_id, name)]
        for name in client.get_run(run_id).data.metrics
    }


def in_own_store(folder: Path) -> Points:
    run_id = (folder / "mlflow" / "run-id.txt").read_text()
    return in_store(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}", run_id)


def check_rounds(shown: Points, record: RunFolder) -> None:
    rounds = record.rounds.set_index("round").dropna(axis="columns", how="all")
    by_group = {name for name in shown if " by group/" in name}
    assert set(shown) - by_group == {tag_of(name) for name in rounds.columns}
    for name, column in rounds.items():
        known = column.dropna()
        steps, values = zip(*shown[tag_of(str(name))], strict=True)
        assert list(steps) == list(known.index), name
        assert values == pytest.approx(known.tolist(), rel=1e-6), "event files hold float32"
    assert tag_of("worst_honest_accuracy") == "own data/worst_honest_accuracy"


def check_groups(shown: Points, record: RunFolder) -> None:
    for group, rows in record.groups.groupby("group"):
        steps, values = zip(*shown[f"accuracy by group/{group}"], strict=True)
        assert list(steps) == [0, 1, 2]
        assert values == pytest.approx(rows["accuracy"].tolist(), rel=1e-6)
        assert [step for step, _ in shown[f"worst_accuracy by group/{group}"]] == [1, 2]


def test_event_files_hold_what_rounds_and_groups_hold(tmp_path: Path) -> None:
    record = run(tmp_path / "run", "tracker='tensorboard' minority='rotated'")
    shown = in_event_files(record.path)
    check_rounds(shown, record)
    check_groups(shown, record)


@pytest.mark.slow
def test_an_mlflow_store_in_the_folder_holds_settings_rounds_and_groups(tmp_path: Path) -> None:
    record = run(tmp_path / "run", "tracker='mlflow' minority='rotated'")
    shown = in_own_store(record.path)
    check_rounds(shown, record)
    check_groups(shown, record)

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{record.path / 'mlflow' / 'mlflow.db'}")
    (found,) = client.search_runs([client.get_experiment_by_name("pawbrofl").experiment_id])
    assert (found.info.run_name, found.info.status) == ("run", "FINISHED")
    assert found.data.params == {name: str(value) for name, value in record.settings.items()}


@pytest.mark.slow
def test_runs_share_a_store_that_the_setting_names(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    for number in (1, 2):
        tracking = Tracking(tracker_named(f"mlflow(uri={uri}, experiment=two)"), tmp_path, {})
        tracking.add_round({"round": 0, "test_accuracy": number / 4})
        (tmp_path / "mlflow" / "run-id.txt").unlink()
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("two").experiment_id])
    assert {found.data.metrics["test/test_accuracy"] for found in runs} == {0.25, 0.5}
    assert {found.info.status for found in runs} == {"RUNNING"}
    assert not (tmp_path / "mlflow" / "mlflow.db").exists()


def resumed(folder: Path, tracker: str) -> None:
    """Add rounds 0 to 3, the run being resumed after round 1."""
    for first, accuracy in ((0, 0.25), (2, 0.5)):
        tracking = Tracking(tracker_named(tracker), folder, {"mu": 0.1})
        for server_round in range(first, 4):
            tracking.add_round(
                {"round": server_round, "test_accuracy": accuracy, "largest_gap": math.nan}
            )
        tracking.close(is_finished=first == 2)


def test_rounds_that_are_done_again_are_shown_once(tmp_path: Path) -> None:
    resumed(tmp_path, "tensorboard")
    assert in_event_files(tmp_path) == {"test/test_accuracy": [(0, 0.25), (1, 0.25), (2, 0.5), (3, 0.5)]}


@pytest.mark.slow
def test_a_resumed_run_is_one_run_of_the_store_where_rounds_stand_once(tmp_path: Path) -> None:
    resumed(tmp_path, "mlflow")
    assert in_own_store(tmp_path) == {
        "test/test_accuracy": [(0, 0.25), (1, 0.25), (2, 0.25), (3, 0.25)]
    }, "a round that is done again has the numbers that it had"


@pytest.mark.slow
def test_without_the_setting_there_are_none(tmp_path: Path) -> None:
    record = run(tmp_path / "run", "")
    assert not (record.path / "tensorboard").exists()
    assert not (record.path / "mlflow").exists()


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package_is_named_before_the_first_round(
    defaults: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda package: None)
    message = rf"tracker '{name}' needs the package '{name}', .* '\.\[{name}\]'"
    with pytest.raises(InvalidSetting, match=message):
        check_machine(RunConfig.parse(defaults | {"tracker": name}))
    check_machine(RunConfig.parse(defaults | {"tracker": NO_TRACKER}))


@pytest.mark.parametrize(
    ("tracker", "message"),
    [
        ("mlfow", "tracker must be one of none, tensorboard, mlflow .did you mean 'mlflow'"),
        ("mlflow(url=x)", "tracker parameters are uri, experiment; got 'url'"),
        ("tensorboard(x=1)", "tracker parameters are none; got 'x'"),
        ("own_trackers:Missing", "tracker 'own_trackers:Missing'.* has no 'Missing'"),
        ("own_trackers:Kept(size=much)", "tracker size must be of type int, got 'much'"),
        ("own_trackers:Plain", "tracker 'own_trackers:Plain' must be a class that inherits from"),
        ("own_trackers:NoAdd", "tracker 'own_trackers:NoAdd' raises TypeError: .*abstract method '?add"),
    ],
)
def test_what_is_no_tracker_is_named_before_anything_starts(
    defaults: dict[str, Any],
    own_trackers: None,
    tracker: str,
    message: str,
) -> None:
    with pytest.raises(InvalidSetting, match=message):
        check_machine(RunConfig.parse(defaults | {"tracker": tracker}))


OWN = """
from pawbrofl_app.trackers import Tracker

class Plain: pass
class NoAdd(Tracker):
    def start(self, folder, settings, first_round): pass
class Kept(Tracker):
    told = []
    def __init__(self, size: int = 1): self.size = size
    def start(self, folder, settings, first_round):
        self.told.append((self.size, folder.name, settings["num-rounds"], first_round))
    def add(self, server_round, values): self.told.append((server_round, dict(values)))
    def close(self, *, is_finished): self.told.append(is_finished)
"""


@pytest.fixture
def own_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_trackers.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_trackers", raising=False)


def test_a_tracker_of_somebody_s_own_is_told_of_every_round(
    tmp_path: Path, own_trackers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run(tmp_path / "run", "tracker='own_trackers:Kept(size=3)'")
    begun, *rounds, ended = sys.modules["own_trackers"].Kept.told
    assert (begun, ended) == ((3, "run", 2, 0), True)
    points: Points = {}
    for server_round, values in rounds:
        for name, value in values.items():
            points.setdefault(name, []).append((server_round, value))
    check_rounds(points, record)


class FailsOnce(Tracker):
    """Cannot be reached at first."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self, folder: Path, settings: Mapping[str, Any], first_round: int) -> None:
        self.calls.append(f"start {first_round}")
        if len(self.calls) == 1:
            raise ConnectionError("no route to the tracker")

    def add(self, server_round: int, values: Mapping[str, float]) -> None:
        self.calls.append(f"add {server_round}")

    def close(self, *, is_finished: bool) -> None:
        raise KeyError("closed")


def test_what_a_tracker_raises_is_logged_and_training_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = FailsOnce()
    tracking = Tracking(tracker, tmp_path, {})
    for server_round in range(2):
        tracking.add_round({"round": server_round, "test_accuracy": 0.5})
    tracking.close(is_finished=True)
    assert tracker.calls == ["start 0", "start 1", "add 1"]
    assert [line for line in caplog.messages if "FailsOnce failed" in line] == [
        "the tracker FailsOnce failed, training goes on: ConnectionError: no route to the tracker",
        "the tracker FailsOnce failed, training goes on: KeyError: 'closed'",
    ]


def test_a_disk_that_takes_nothing_ends_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    tracking = Tracking(tracker_named("tensorboard"), tmp_path, {})
    tracking.add_round({"round": 0, "test_accuracy": 0.5})
    tracking.close(is_finished=True)
    assert any("the tracker TensorBoard failed" in line for line in caplog.messages)
