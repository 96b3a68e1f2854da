"""What a node config may say, what it may not, and a site's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clients.honest import HonestClient
from clients.malicious import MaliciousClient
from clients.training_cache import TrainingCache
from pawbrofl_app.roles import attack_of, malicious_clients
from pawbrofl_app.settings.node_config import Site, load_own_data
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.datasets import DataUnavailable


def images(count: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, (count, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize(
    ("node_config", "message"),
    [
        ({}, "partition-id in the node config must be a whole number"),
        ({"partition-id": 4}, "at least 0 and below num-clients 4, got 4"),
        ({"partition-id": -1}, "got -1"),
        ({"partition-id": "0"}, "got '0'"),
        ({"partition-id": True}, "got True"),
        ({"partition-id": 0.0}, "got 0.0"),
        ({"partition-id": 0, "num-partitions": 0}, "num-partitions in the node config must be"),
        ({"partition-id": 0, "malicious": "yes"}, "malicious in the node config must be true or false"),
        ({"partition-id": 0, "data-dir": "data"}, "must be the absolute path of a folder, got 'data'"),
        ({"partition-id": 0, "data-dir": "/no/such/folder"}, "data-dir in the node config"),
        ({"partition-id": 0, "data-dir": 5}, "got 5"),
        ({"partition-id": 0, "data_dir": "/tmp"}, "did you mean 'data-dir'"),
        ({"partition-id": 0, "malicous": True}, "did you mean 'malicious'"),
    ],
)
def test_a_silly_node_config_is_named(node_config: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSetting) as error:
        Site.parse(node_config, 4)
    assert message in str(error.value)


def test_keys_of_other_apps_are_let_be(tmp_path: Path) -> None:
    told = {"partition-id": 1, "num-partitions": 4, "data-dir": str(tmp_path), "gpu-memory": 8}
    assert Site.parse(told, 4) == Site(1, str(tmp_path), None)


def test_the_node_config_decides_who_is_malicious_else_the_seed(defaults: dict[str, Any]) -> None:
    config = RunConfig.parse(defaults)
    drawn = malicious_clients(config)
    honest = next(number for number in range(20) if number not in drawn)
    assert attack_of(config, Site(drawn[0])) is not None
    assert attack_of(config, Site(honest)) is None
    assert attack_of(config, Site(drawn[0], malicious=False)) is None
    assert attack_of(config, Site(honest, malicious=True)) is not None
    with pytest.raises(InvalidSetting, match="attack must name one"):
        attack_of(RunConfig.parse(defaults | {"attack": "none"}), Site(honest, malicious=True))


def test_a_site_with_data_of_its_own_attacks_only_by_its_own_will(defaults: dict[str, Any]) -> None:
    config = RunConfig.parse(defaults)
    drawn = malicious_clients(config)[0]
    assert attack_of(config, Site(drawn, "/somewhere")) is None
    assert attack_of(config, Site(drawn, "/somewhere", malicious=True)) is not None


def test_a_sites_own_data_are_read_whole(tmp_path: Path) -> None:
    labels = np.arange(30) % 10
    np.savez(tmp_path / "train.npz", images=images(30), labels=labels)
    own = load_own_data(str(tmp_path), "digits")
    assert own.images.shape == (30, 1, 28, 28)
    assert torch.equal(own.labels, torch.from_numpy(labels))


def test_a_sites_own_data_may_have_torchvisions_layout(data_dir: str) -> None:
    assert len(load_own_data(data_dir, "mnist")) == 60_000


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": images(3)}, "no .npz file with arrays images and labels"),
        ({"images": images(3).astype(float), "labels": np.arange(3)}, "images in"),
        ({"images": images(3)[:, :14], "labels": np.arange(3)}, "got uint8 of shape (3, 14, 28)"),
        ({"images": images(3), "labels": np.arange(4)}, "one for each of 3 images"),
        ({"images": images(0), "labels": np.arange(0)}, "at least one"),
        ({"images": images(3), "labels": np.array([0, 1, 10])}, "below 10, got 0 to 10"),
        ({"images": images(3), "labels": np.array([0.5, 1, 2])}, "labels in"),
        ({"images": np.array([{}]), "labels": np.arange(1)}, "no .npz file with arrays"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_data_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "train.npz", **arrays)
    with pytest.raises(DataUnavailable) as error:
        load_own_data(str(tmp_path), "digits")
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_client_trains_on_its_own_data(tmp_path: Path, defaults: dict[str, Any]) -> None:
    from flwr.app import Context, RecordDict

    from pawbrofl_app.client_app import client_fn

    np.savez(tmp_path / "train.npz", images=images(30), labels=np.arange(30) % 10)

    def client(node_config: dict[str, Any]) -> Any:
        context = Context(1, 1, node_config, RecordDict(), defaults)
        return client_fn(context, TrainingCache()).numpy_client  # type: ignore[attr-defined]

    own = client({"partition-id": 3, "data-dir": str(tmp_path)})
    assert type(own) is HonestClient
    assert (len(own.labels), own.partition_id) == (30, 3)
    assert len(client({"partition-id": 3}).labels) == 72
    assert type(client({"partition-id": 3, "malicious": True})) is MaliciousClient
