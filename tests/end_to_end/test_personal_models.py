"""Runs with Ditto: the same global model as without, its records, and that a resumed run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.records.checkpoint import Checkpoint, CheckpointFolder
from pawbrofl_app.records.layout import SECONDS
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.minorities import MAJORITY, MINORITY

DITTO: dict[str, Any] = {
    "personalization": "ditto(lambda=0.1)",
    "network": "perceptron",
    "num-clients": 10,
    "num-rounds": 4,
    "local-epochs": 1,
    "training-samples": 400,
    "fraction-fit": 0.6,
    "fraction-evaluate": 1.0,
    "figures": False,
}


def run(settings: dict[str, Any], folder: Path, **others: Any) -> RunFolder:
    given = {name.replace("_", "-"): value for name, value in others.items()}
    run_in_this_process(RunConfig.parse(settings | DITTO | {"results-dir": str(folder)} | given))
    return RunFolder(folder)


def check_same(run: RunFolder, expected: RunFolder) -> None:
    ours, theirs = (torch.load(each.model_path, weights_only=True) for each in (run, expected))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    rounds = (each.rounds.drop(columns=SECONDS) for each in (run, expected))
    pd.testing.assert_frame_equal(*rounds, check_exact=True)
    for table in ("clients", "evaluations", "groups"):
        pd.testing.assert_frame_equal(getattr(run, table), getattr(expected, table), check_exact=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, default_settings: dict[str, Any]) -> RunFolder:
    folder = tmp_path_factory.mktemp("whole") / "run"
    return run(default_settings | {"attack": "none", "minority": "rotated"}, folder)


@pytest.mark.slow
def test_the_global_model_is_that_of_a_run_without(
    whole: RunFolder, default_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = default_settings | {"attack": "none", "minority": "rotated"}
    without = run(settings, tmp_path / "run", personalization="none")
    ours, theirs = (torch.load(each.model_path, weights_only=True) for each in (whole, without))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    pd.testing.assert_frame_equal(whole.clients, without.clients, check_exact=True)
    assert without.evaluations["test_accuracy"].isna().all()
    assert not without.summary.personal.known


def test_records_and_summary_hold_what_personal_models_achieve(whole: RunFolder) -> None:
    evaluations, summary = whole.evaluations, whole.summary
    last = evaluations[evaluations["round"] == 4]
    assert last["test_accuracy"].between(0, 1).all()
    assert summary.personal.personal_accuracy == pytest.approx(last["test_accuracy"].mean())
    assert summary.personal.worst_personal_accuracy == last["test_accuracy"].min()
    is_minority = last["client"].isin(summary.minority)
    assert summary.groups.minority_accuracy == pytest.approx(last["test_accuracy"][is_minority].mean())
    assert summary.groups.majority_accuracy == pytest.approx(last["test_accuracy"][~is_minority].mean())
    groups = whole.groups.set_index(["round", "group"])["accuracy"]
    assert groups[4, MINORITY] == summary.groups.minority_accuracy
    assert groups[0, MAJORITY] == whole.rounds["test_accuracy"][0], "before they have any"
    assert summary.groups.majority_accuracy != summary.test_accuracy


class Interrupted(BaseException):
    """What ends the run."""


@pytest.mark.slow
@pytest.mark.parametrize("last_round", [1, 3])
def test_a_resumed_run_has_the_same_personal_models(
    whole: RunFolder,
    default_settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    last_round: int,
) -> None:
    save = CheckpointFolder.save

    def save_and_end(folder: CheckpointFolder, checkpoint: Checkpoint) -> None:
        save(folder, checkpoint)
        if checkpoint.server_round == last_round:
            raise Interrupted

    settings = default_settings | {"attack": "none", "minority": "rotated"}
    with monkeypatch.context() as patched:
        patched.setattr(CheckpointFolder, "save", save_and_end)
        with pytest.raises(Interrupted):
            run(settings, tmp_path / "run")
    check_same(run(settings, tmp_path / "run", resume=True), whole)


@pytest.mark.slow
def test_cohorts_go_with_it_but_for_rounding(default_settings: dict[str, Any], tmp_path: Path) -> None:
    settings = default_settings | {"attack": "none"}
    plain = run(settings, tmp_path / "plain", num_rounds=2)
    in_cohorts = run(settings, tmp_path / "cohorts", num_rounds=2, cohort_size=4)
    ours, theirs = in_cohorts.evaluations, plain.evaluations
    assert not ours["loss"].equals(theirs["loss"]), "lock-step took no part"
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-3, atol=1e-2)


@pytest.mark.slow
def test_members_of_a_branch_are_held_to_their_branch(
    default_settings: dict[str, Any], tmp_path: Path
) -> None:
    """A lambda of 1 / learning-rate leaves one step of one's own from the received model."""
    settings = default_settings | {"attack": "none", "minority": "rotated", "branches": 2}
    others = {"num_clients": 20, "fraction_fit": 1.0, "num_rounds": 6, "local_epochs": 5}
    others |= {"training_samples": 0}
    finished = run(settings, tmp_path / "run", personalization="ditto(lambda=20)", **others)
    assert finished.clients["branch"].max() == 1
    assert finished.summary.groups.minority_accuracy > 0.5, "the main model has 0.12"
