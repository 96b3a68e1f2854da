"""Data sets and their partitions: complete, disjoint, reproducible, and clear about what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.partitions import ImpossiblePartition, client_indices
from pawbrofl_app.tasks.task import DataUnavailable


def test_digits_are_1797_images_of_28_by_28() -> None:
    digits = load_task("digits")
    assert len(digits.train) + len(digits.test) == 1797
    assert digits.train.inputs.shape[1:] == (1, 28, 28)
    assert digits.train.inputs.dtype == torch.uint8
    assert sorted(set(digits.test.labels.tolist())) == list(range(10))
    inputs, labels = digits.test.as_inputs(torch.device("cpu"))
    assert inputs.dtype == torch.float32
    assert 0 <= float(inputs.min()) < float(inputs.max()) <= 1
    assert len(inputs) == len(labels) == 360


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.slow
def test_the_real_data_sets_are_read_without_download(name: str, data_dir: str) -> None:
    dataset = load_task(name, data_dir)
    assert dataset is load_task(name, data_dir), "read once"
    from_environment = load_task(name)  # as PAWBROFL_DATA_DIR is set
    assert torch.equal(from_environment.test.inputs, dataset.test.inputs)
    assert (len(dataset.train), len(dataset.test)) == (60_000, 10_000)
    assert dataset.train.inputs.shape == (60_000, 1, 28, 28)
    assert dataset.train.labels.bincount().min() > 5000


def test_a_folder_without_the_data_and_no_network_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    with pytest.raises(DataUnavailable) as error:
        load_task("mnist", str(tmp_path / "nothing"))
    assert str(tmp_path / "nothing") in str(error.value)
    assert "mnist" in str(error.value)


def parts_of(defaults: dict[str, Any], **settings: Any) -> list[Any]:
    names = {name.replace("_", "-"): value for name, value in settings.items()}
    return list(client_indices(RunConfig.parse(defaults | names).partitioned_data))


SHARING_ALL = ("iid", "variable", "dirichlet", "pathological", "pathological(classes=3)", "linear")
"""Partitions in which every sample is somebody's, and which go for twenty clients on digits."""


@pytest.mark.parametrize(
    ("partition", "num_clients", "left_over"),
    [("shards", 20, 1437 % 40), ("square", 6, 0), ("exponential", 6, 0)],
)
def test_no_sample_belongs_to_two_clients(
    defaults: dict[str, Any], partition: str, num_clients: int, left_over: int
) -> None:
    parts = parts_of(defaults, partition=partition, num_clients=num_clients)
    held = np.concatenate(parts)
    assert (len(parts), min(map(len, parts)) >= 1) == (num_clients, True)
    assert len(np.unique(held)) == len(held) == 1437 - left_over


@pytest.mark.parametrize("partition", SHARING_ALL)
def test_every_sample_belongs_to_exactly_one_client(defaults: dict[str, Any], partition: str) -> None:
    config = RunConfig.parse(defaults | {"partition": partition})
    parts = client_indices(config.partitioned_data)
    assert len(parts) == 20
    assert min(map(len, parts)) >= 1
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(1437))


@pytest.mark.mostly_slow(7)
@pytest.mark.parametrize("partition", [*SHARING_ALL, "shards"])
def test_the_seed_alone_decides_the_partition(defaults: dict[str, Any], partition: str) -> None:
    def parts(seed: int) -> list[list[int]]:
        config = RunConfig.parse(defaults | {"partition": partition, "seed": seed})
        return [part.tolist() for part in client_indices(config.partitioned_data)]

    first = parts(1)
    other = parts(2)
    assert parts(1) == first != other


def test_sizes_are_equal_or_vary(defaults: dict[str, Any]) -> None:
    def sizes(partition: str) -> list[int]:
        config = RunConfig.parse(defaults | {"partition": partition})
        return [len(part) for part in client_indices(config.partitioned_data)]

    assert max(sizes("iid")) - min(sizes("iid")) <= 1
    assert max(sizes("variable")) > 3 * min(sizes("variable"))
    assert max(sizes("variable")) <= 2.5 * 1437 / 20


def test_dirichlet_skews_the_labels(defaults: dict[str, Any]) -> None:
    labels = load_task("digits").train.labels.numpy()

    def largest_share(alpha: float) -> float:
        config = RunConfig.parse(defaults | {"partition": "dirichlet", "dirichlet-alpha": alpha})
        shares = [np.bincount(labels[p]).max() / len(p) for p in client_indices(config.partitioned_data)]
        return float(np.mean(shares))

    assert largest_share(0.1) > largest_share(100.0) + 0.2


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize("classes", [1, 2, 5])
def test_pathological_clients_have_so_many_classes_and_no_class_is_left_over(
    defaults: dict[str, Any], classes: int
) -> None:
    labels = load_task("digits").train.labels.numpy()
    parts = parts_of(defaults, partition=f"pathological(classes={classes})")
    assert [len(set(labels[part])) for part in parts] == [classes] * 20
    assert {int(label) for part in parts for label in labels[part]} == set(range(10))


def test_shards_are_stretches_of_the_sorted_samples(defaults: dict[str, Any]) -> None:
    labels = load_task("digits").train.labels.numpy()
    parts = parts_of(defaults, partition="shards(per_client=3)")
    shard = 1437 // (20 * 3)
    assert [len(part) for part in parts] == [3 * shard] * 20
    assert max(len(set(labels[part])) for part in parts) <= 3 * 2, "a shard ends at most one class"
    assert np.mean([len(set(labels[part])) for part in parts]) < 5


@pytest.mark.parametrize(
    ("partition", "size"),
    [("linear", lambda k: k), ("square", np.square), ("exponential", np.exp)],
)
def test_sizes_grow_with_the_clients_numbers(
    defaults: dict[str, Any], partition: str, size: Any
) -> None:
    sizes = [len(part) for part in parts_of(defaults, partition=partition, num_clients=6)]
    expected = size(np.arange(1.0, 7.0))
    np.testing.assert_allclose(sizes, 1437 * expected / expected.sum(), atol=6)
    labels = load_task("digits").train.labels.numpy()
    largest = parts_of(defaults, partition=partition, num_clients=6)[-1]
    assert np.bincount(labels[largest]).min() > 0.05 * len(largest), "drawn at random"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"partition": "pathological(classes=11)"}, "classes_per_partition`=11 is greater"),
        ({"partition": "pathological", "num_clients": 1437}, "is needed to be assigned to more"),
        ({"partition": "exponential"}, "among num-clients 20: "),
        ({"partition": "shards(per_client=100)"}, "num-clients 20: 2000 shards need as many samples"),
        ({"partition": "dirichlet", "dirichlet_alpha": 1e-3, "num_clients": 400}, "-alpha 0.001 cannot"),
    ],
)
def test_what_cannot_be_shared_so_is_named(
    defaults: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImpossiblePartition) as error:
        parts_of(defaults, **settings)
    assert message in str(error.value)
    assert f"partition {settings['partition']!r}" in str(error.value)


def test_more_clients_than_samples_are_refused(defaults: dict[str, Any]) -> None:
    with pytest.raises(ImpossiblePartition, match="num-clients must be at most 1437"):
        client_indices(RunConfig.parse(defaults | {"num-clients": 1438}).partitioned_data)


@pytest.mark.parametrize("partition", ["iid", "variable"])
def test_as_many_clients_as_samples_are_possible(defaults: dict[str, Any], partition: str) -> None:
    config = RunConfig.parse(defaults | {"num-clients": 1437, "partition": partition})
    assert [len(part) for part in client_indices(config.partitioned_data)] == [1] * 1437


@pytest.mark.parametrize("partition", ["iid", "variable", "dirichlet", "linear"])
def test_a_part_of_the_training_samples_may_be_used(defaults: dict[str, Any], partition: str) -> None:
    settings = defaults | {"partition": partition, "training-samples": 200, "num-clients": 4}
    used = np.concatenate(client_indices(RunConfig.parse(settings).partitioned_data))
    assert len(used) == len(set(used.tolist())) == 200
    assert used.max() > 200, "drawn from all of them"
    again = np.concatenate(client_indices(RunConfig.parse(settings).partitioned_data))
    np.testing.assert_array_equal(used, again)
    other = np.concatenate(client_indices(RunConfig.parse(settings | {"seed": 2}).partitioned_data))
    assert set(other.tolist()) != set(used.tolist())


def test_more_training_samples_than_there_are_are_refused(defaults: dict[str, Any]) -> None:
    config = RunConfig.parse(defaults | {"training-samples": 2000})
    with pytest.raises(ImpossiblePartition, match="training-samples must be at most 1437"):
        client_indices(config.partitioned_data)
