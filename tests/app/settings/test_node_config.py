"""What a node config may say, and what it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pawbrofl_app.roles import attack_of, malicious_clients
from pawbrofl_app.settings.node_config import Site
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.task_form import TaskForm


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
        ({"partition-id": 0, "datset": "mine:load"}, "did you mean 'dataset'"),
        ({"partition-id": 0, "dataset": "mine:load"}, "which reads its data-dir, got 'mine:load'"),
        ({"partition-id": 0, "dataset": "csv", "data-dir": "/"}, "module:function, which reads"),
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


def test_a_site_with_data_of_its_own_attacks_only_by_its_own_will(
    defaults: dict[str, Any], tmp_path: Path
) -> None:
    np.savez(tmp_path / "train.npz", images=np.zeros((3, 28, 28), np.uint8), labels=np.arange(3))
    config = RunConfig.parse(defaults)
    drawn = malicious_clients(config)[0]
    form = TaskForm.of(load_task("digits")).as_json()
    assert attack_of(config, Site(drawn, str(tmp_path), form=form)) is None
    assert attack_of(config, Site(drawn, str(tmp_path), malicious=True, form=form)) is not None
