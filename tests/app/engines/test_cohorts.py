"""Cohorts: who is in which, and that a run with them is the run without them but for rounding."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from clients.training_cache import TrainingCache
from pawbrofl_app.client_app import honest_client
from pawbrofl_app.engines import cohorts as cohorts_module
from pawbrofl_app.engines.cohorts import CohortTraining, cohort_size
from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.roles import malicious_clients
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.partitions import client_indices

SMALL: dict[str, Any] = {
    "num-clients": 8,
    "num-rounds": 2,
    "local-epochs": 1,
    "training-samples": 160,
    "network": "perceptron",
    "malicious-fraction": 0.25,
    "epsilon": 0.25,
    "device": "cpu",
    "figures": False,
}


@pytest.fixture
def small(defaults: dict[str, Any]) -> dict[str, Any]:
    return defaults | SMALL


def config_of(settings: dict[str, Any], **others: Any) -> RunConfig:
    return RunConfig.parse(settings | {name.replace("_", "-"): value for name, value in others.items()})


def cohort_training(config: RunConfig) -> CohortTraining:
    return CohortTraining(config, partial(honest_client, config), TrainingCache())


def test_a_cpu_trains_one_by_one_unless_asked() -> None:
    assert cohort_size(0, torch.device("cpu")) == 1
    assert cohort_size(0, torch.device("cuda")) == 128
    assert cohort_size(5, torch.device("cpu")) == 5


def test_cohorts_are_of_like_sizes_whatever_the_order_of_the_clients(small: dict[str, Any]) -> None:
    config = config_of(small, cohort_size=3, partition="variable", attack="none")
    training = cohort_training(config)
    cohorts = training.cohorts(range(8), 1)
    assert [len(cohort) for cohort in cohorts] == [3, 3, 2]
    sizes = [
        len(client_indices(config.partitioned_data)[client]) for cohort in cohorts for client in cohort
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert training.cohorts([5, 0, 7, 2, 6, 4, 3, 1], 1) == cohorts
    assert sorted(training.cohorts([6, 1], 1)[0]) == [1, 6]


def test_attackers_that_change_their_batches_train_alone_while_they_attack(
    small: dict[str, Any],
) -> None:
    config = config_of(small, cohort_size=8, attack="dba", attack_first_round=2)
    malicious = malicious_clients(config)
    training = cohort_training(config)
    assert [len(cohort) for cohort in training.cohorts(range(8), 1)] == [8]
    together, *alone = training.cohorts(range(8), 2)
    assert alone == [[client] for client in malicious]
    assert set(together) == set(range(8)) - set(malicious)
    by_updates = cohort_training(config_of(small, cohort_size=8, attack="sign-flip"))
    assert [len(cohort) for cohort in by_updates.cohorts(range(8), 2)] == [8]


def test_measures_that_lock_step_does_not_take_switch_it_off(small: dict[str, Any]) -> None:
    assert cohort_training(config_of(small, cohort_size=4, gap_measure="gradient-norm")).size == 1


def run(settings: dict[str, Any], folder: Path, **others: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    run_in_this_process(config_of(settings, results_dir=str(folder), **others))
    run = RunFolder(folder)
    return run.clients, torch.load(run.model_path, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["dba", "alie+inflated-report"], ids=["batches", "update and report"])
def test_a_run_in_cohorts_is_the_run_without_but_for_rounding(
    attack: str, small: dict[str, Any], tmp_path: Path
) -> None:
    settings = small | {"partition": "variable", "attack": attack, "fraction-fit": 0.75}
    plain, plain_model = run(settings, tmp_path / "plain", cohort_size=1)
    first, first_model = run(settings, tmp_path / "first", cohort_size=4)
    again, _ = run(settings, tmp_path / "again", cohort_size=4)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    pd.testing.assert_frame_equal(first, plain, rtol=1e-3, atol=1e-5)
    assert not first["loss_gap"].equals(plain["loss_gap"]), "lock-step took no part"
    for name, value in plain_model.items():
        np.testing.assert_allclose(first_model[name], value, atol=1e-4)


@pytest.mark.slow
def test_a_cohort_that_fails_trains_one_by_one(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise torch.OutOfMemoryError("no memory left")

    plain, _ = run(small, tmp_path / "plain", cohort_size=1)
    monkeypatch.setattr(cohorts_module, "train_cohort", fails)
    failing, _ = run(small, tmp_path / "failing", cohort_size=4)
    pd.testing.assert_frame_equal(failing, plain, check_exact=True)
