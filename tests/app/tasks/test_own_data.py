"""A site's own data: read whole, or refused with the file's name and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clients.honest import HonestClient
from clients.malicious import MaliciousClient
from clients.training_cache import TrainingCache
from pawbrofl_app.tasks.own_data import load_own_task
from pawbrofl_app.tasks.task import DataUnavailable


def images(count: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, (count, 28, 28)).astype(np.uint8)


def test_a_sites_own_data_are_read_whole(tmp_path: Path) -> None:
    labels = np.arange(30) % 10
    np.savez(tmp_path / "train.npz", images=images(30), labels=labels)
    own = load_own_task(str(tmp_path), "digits").train
    assert own.inputs.shape == (30, 1, 28, 28)
    assert torch.equal(own.labels, torch.from_numpy(labels))


def test_a_sites_own_data_may_have_torchvisions_layout(data_dir: str) -> None:
    assert len(load_own_task(data_dir, "mnist").train) == 60_000


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
        load_own_task(str(tmp_path), "digits")
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
