"""Honest minorities: who is in them, how their samples are shared, and what their images look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pawbrofl_app.client_app import client_of
from pawbrofl_app.roles import malicious_clients
from pawbrofl_app.settings.machine_check import check_machine
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.minorities import MAJORITY, MINORITIES, MINORITY, Large, group_tests
from pawbrofl_app.tasks.partitions import client_indices, client_samples


def config_of(defaults: dict[str, Any], **settings: Any) -> RunConfig:
    changed = {name.replace("_", "-"): value for name, value in settings.items()}
    return RunConfig.parse(defaults | {"network": "perceptron"} | changed)


@pytest.mark.parametrize("minority", MINORITIES)
@pytest.mark.parametrize("seed", range(1, 6))
def test_its_clients_are_honest_and_the_same_without_an_attack(
    defaults: dict[str, Any], minority: str, seed: int
) -> None:
    attacked = config_of(defaults, minority=minority, seed=seed)
    peaceful = attacked.replace(attack="none")
    assert len(attacked.minority_clients) == attacked.num_minority == 4
    assert not set(attacked.minority_clients) & set(malicious_clients(attacked))
    assert attacked.minority_clients == peaceful.minority_clients
    assert attacked.minority_clients != attacked.replace(seed=seed + 10).minority_clients


def test_malicious_clients_are_those_of_the_run_without_a_minority(defaults: dict[str, Any]) -> None:
    plain = config_of(defaults)
    assert malicious_clients(plain.replace(minority="rotated")) == malicious_clients(plain)
    assert plain.minority_clients == ()


@pytest.mark.mostly_slow(7)
@pytest.mark.parametrize("partition", ["iid", "variable", "dirichlet", "pathological", "linear"])
@pytest.mark.parametrize("minority", MINORITIES)
def test_every_sample_belongs_to_exactly_one_client(
    defaults: dict[str, Any], minority: str, partition: str
) -> None:
    data = config_of(defaults, minority=minority, partition=partition).partitioned_data
    parts = client_indices(data)
    assert len(parts) == 20
    assert min(map(len, parts)) >= 1
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(1437))
    client_indices.cache_clear()
    for first, again in zip(parts, client_indices(data), strict=True):
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("minority", ["rotated", "inverted"])
def test_where_only_looks_differ_the_samples_are_those_of_a_run_without(
    defaults: dict[str, Any], minority: str
) -> None:
    plain = client_indices(config_of(defaults).partitioned_data)
    for one, other in zip(
        plain, client_indices(config_of(defaults, minority=minority).partitioned_data), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_only_the_minority_sees_its_images_so(defaults: dict[str, Any]) -> None:
    train = load_task("digits").train
    for minority, changed in (
        ("rotated", lambda images: torch.rot90(images, 1, (2, 3))),
        ("inverted", lambda images: 255 - images),
    ):
        config = config_of(defaults, minority=minority)
        parts = client_indices(config.partitioned_data)
        for client in range(20):
            plain = train.select(parts[client])
            seen = client_samples(config.partitioned_data, client)
            is_member = client in config.minority_clients
            assert torch.equal(seen.inputs, changed(plain.inputs) if is_member else plain.inputs)
            assert torch.equal(seen.labels, plain.labels)


def test_a_client_trains_on_the_images_of_its_group_whoever_was_made_before(
    defaults: dict[str, Any],
) -> None:
    config = config_of(defaults, minority="inverted")
    member = config.minority_clients[1]
    expected = client_samples(config.partitioned_data, member).as_inputs(torch.device("cpu"))[0]
    for before in ((), (0, 5), (19, config.minority_clients[0])):
        for client in before:
            client_of(config, client)
        assert torch.equal(client_of(config, member).inputs.cpu(), expected)


def test_the_last_classes_are_the_minoritys_alone(defaults: dict[str, Any]) -> None:
    config = config_of(defaults, minority="classes", partition="dirichlet")
    for client in range(20):
        labels = set(client_samples(config.partitioned_data, client).labels.tolist())
        assert labels <= ({8, 9} if client in config.minority_clients else set(range(8)))


def test_large_clients_hold_several_shares(defaults: dict[str, Any]) -> None:
    config = config_of(defaults, minority="large")
    sizes = [len(part) for part in client_indices(config.partitioned_data)]
    share = 1437 / (16 + 4 * Large().times)
    for client, size in enumerate(sizes):
        times = Large().times if client in config.minority_clients else 1
        assert abs(size - times * share) <= times


def test_each_group_is_measured_on_test_images_of_its_own_kind() -> None:
    task = load_task("digits")
    test = task.test
    assert group_tests("none", task) == {}
    turned = group_tests("rotated", task)
    assert list(turned) == [MAJORITY, MINORITY]
    assert turned[MAJORITY] is test
    assert torch.equal(turned[MINORITY].inputs, torch.rot90(test.inputs, 1, (2, 3)))
    classes = group_tests("classes", task)
    assert set(classes[MINORITY].labels.tolist()) == {8, 9}
    assert set(classes[MAJORITY].labels.tolist()) == set(range(8))
    assert len(classes[MINORITY]) + len(classes[MAJORITY]) == len(test)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"minority": "turned"}, "minority must be one of none, rotated, classes, inverted, large"),
        ({"minority-fraction": 0.5}, "minority-fraction must be above 0 and below 0.5, got 0.5"),
        (
            {"minority": "rotated", "minority-fraction": 0.01},
            "minority-fraction must be a share of num-clients 20 that is at least one client",
        ),
        (
            {"minority": "large", "minority-fraction": 0.4},
            "fewer than the others that malicious-fraction 0.2 leaves honest, got 0.4",
        ),
        ({"minority": "rotated", "num-clients": 2}, "minority-fraction must be a share"),
    ],
)
def test_what_cannot_be_is_refused(
    defaults: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidSetting) as error:
        RunConfig.parse(defaults | settings)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("minority", "num_clients", "samples"), [("classes", 100, 60), ("large", 40, 50)]
)
def test_too_few_samples_for_a_group_are_refused_before_the_run(
    defaults: dict[str, Any], minority: str, num_clients: int, samples: int
) -> None:
    config = config_of(
        defaults, minority=minority, num_clients=num_clients, training_samples=max(samples, num_clients)
    )
    with pytest.raises(InvalidSetting, match=f"minority '{minority}' of .* leaves some of them without"):
        check_machine(config)
