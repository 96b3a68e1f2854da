"""Synthetic(alpha, beta): the distributions are those of Li et al., and clients are natural."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pawbrofl_app.client_app import client_of
from pawbrofl_app.settings.machine_check import check_machine
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.synthetic import NUM_FEATURES, client_data
from pawbrofl_app.tasks.task import DataUnavailable


def drawn(beta: float, alpha: float = 0.0, clients: int = 400, size: int = 50) -> Any:
    sizes = np.full(clients, size)
    return list(client_data(np.random.default_rng(3), sizes, alpha, beta))


def test_the_variance_of_feature_j_within_a_client_is_j_to_the_minus_1_2() -> None:
    within = np.mean([features.var(axis=0, ddof=1) for features, _ in drawn(beta=1.0)], axis=0)
    expected = np.arange(1, NUM_FEATURES + 1) ** -1.2
    # Of 400 x 49 degrees of freedom a variance has a relative standard error of 0.0102.
    np.testing.assert_allclose(within / expected, 1, atol=5 * 0.0102)


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_beta_is_how_far_the_features_of_clients_are_apart(beta: float) -> None:
    offsets = np.array([features.mean() for features, _ in drawn(beta)])
    # B_k, and the mean of 60 elements of v_k around it; the noise within is far smaller.
    expected = beta**2 + 1 / NUM_FEATURES
    assert offsets.var() == pytest.approx(expected, rel=5 * np.sqrt(2 / 400))


def test_labels_are_those_of_a_linear_model_of_the_clients_own() -> None:
    (features, labels), (others, other_labels) = drawn(beta=0.0, clients=2, size=3000)

    def agreement(rows: Any, targets: Any) -> float:
        one_hot = np.eye(10)[labels]
        with_ones = np.hstack([features, np.ones((len(features), 1))])
        fitted, *_ = np.linalg.lstsq(with_ones, one_hot, rcond=None)
        scores = np.hstack([rows, np.ones((len(rows), 1))]) @ fitted
        return float((scores.argmax(axis=1) == targets).mean())

    assert agreement(features, labels) > 0.7
    assert agreement(others, other_labels) < 0.5


def test_every_client_holds_its_own_and_a_tenth_is_for_testing(defaults: dict[str, Any]) -> None:
    task = load_task("synthetic(clients=30)")
    assert task.network == "logistic"
    assert len(task.test) / len(task.train) == pytest.approx(1 / 9, rel=0.1)
    settings = {"dataset": "synthetic(clients=30)", "partition": "natural", "num-clients": 30}
    config = RunConfig.parse(defaults | settings)
    check_machine(config)
    sizes = [len(client_of(config, client).labels) for client in range(30)]
    assert sum(sizes) == len(task.train)
    assert min(sizes) >= 45
    with pytest.raises(InvalidSetting, match="num-clients must be at most 30, the natural clients"):
        check_machine(config.replace(num_clients=31))
    some = [len(client_of(config.replace(num_clients=9, seed=seed), 0).labels) for seed in range(5)]
    assert set(some) <= set(sizes)
    assert len(set(some)) > 1, "who takes part is drawn by the seed"


def test_the_data_have_a_seed_of_their_own() -> None:
    first = load_task.__wrapped__("synthetic(clients=5)")
    again = load_task.__wrapped__("synthetic(clients=5)")
    other = load_task.__wrapped__("synthetic(clients=5, seed=2)")
    assert first.train.inputs.equal(again.train.inputs)
    assert not first.train.inputs[:40].equal(other.train.inputs[:40])


@pytest.mark.parametrize("parameters", ["alpha=-1", "beta=-0.5", "clients=1", "size_spread=-1"])
def test_what_cannot_be_is_named(parameters: str) -> None:
    with pytest.raises(DataUnavailable, match="synthetic takes alpha, beta and size_spread"):
        load_task(f"synthetic({parameters})")


def test_a_partition_by_nature_needs_data_that_name_clients(defaults: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting, match="partition 'natural' needs data that name clients"):
        check_machine(RunConfig.parse(defaults | {"partition": "natural"}))


def test_a_minority_that_shares_anew_does_not_go_with_natural_clients(defaults: dict[str, Any]) -> None:
    settings = {"dataset": "synthetic", "partition": "natural", "minority": "classes"}
    with pytest.raises(InvalidSetting, match="shares the samples anew"):
        check_machine(RunConfig.parse(defaults | settings))
