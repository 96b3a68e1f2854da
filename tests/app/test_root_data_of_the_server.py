"""The setting ``root-data``: the server's own samples are no client's, and a run uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.partitions import ImpossiblePartition, client_indices, root_samples

TURNED = {"minority": "rotated", "attack": "none"}


def rows(inputs: Any) -> set[bytes]:
    return {image.tobytes() for image in inputs.numpy()}


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("partition", ["iid", "variable"])
@pytest.mark.parametrize("minority", ["none", "classes", "rotated"])
def test_the_servers_samples_are_no_clients(
    defaults: dict[str, Any], partition: str, minority: str
) -> None:
    settings = {"minority": minority, "partition": partition, "root-data": 60}
    data = RunConfig.parse(defaults | settings).partitioned_data
    held = np.concatenate(client_indices(data))
    train = load_task("digits").train
    assert len(held) == len(set(held.tolist())) == len(train) - 60
    of_server = np.setdiff1d(np.arange(len(train)), held)
    samples = root_samples(data)
    assert sum(len(one) for one in samples) == 60
    assert rows(samples[0].inputs) <= rows(train.inputs[of_server])
    counts = np.bincount(train.labels.numpy()[of_server], minlength=10)
    assert counts.min() >= 4
    assert counts.max() <= 8


def test_as_many_in_a_hundred_are_of_the_minoritys_kind_as_clients_are(defaults: dict[str, Any]) -> None:
    data = RunConfig.parse(defaults | TURNED | {"root-data": 60}).partitioned_data
    majority, minority = root_samples(data)
    assert (len(majority), len(minority)) == (48, 12)
    train = rows(load_task("digits").train.inputs)
    assert rows(majority.inputs) <= train
    assert not rows(minority.inputs) & train
    assert rows(minority.inputs.rot90(k=-1, dims=(2, 3)).contiguous()) <= train


def test_without_root_data_clients_hold_what_they_held(defaults: dict[str, Any]) -> None:
    data = RunConfig.parse(defaults).partitioned_data
    assert sum(map(len, client_indices(data))) == len(load_task("digits").train)


def test_what_does_not_go_with_root_data_is_refused(defaults: dict[str, Any]) -> None:
    for settings, message in (
        ({"aggregator": "afl"}, "root-data must be 0 with aggregator 'afl', got 60"),
        ({"block-size": 100}, "block-size must be 0 with root-data, got 100"),
        ({"root-data": -1}, "root-data must be at least 0, got -1"),
    ):
        with pytest.raises(InvalidSetting, match=message):
            RunConfig.parse(defaults | {"root-data": 60} | settings)
    data = RunConfig.parse(defaults | {"root-data": 1000}).partitioned_data
    with pytest.raises(ImpossiblePartition, match="root-data must be at most 718, half of the training"):
        client_indices(data)


@pytest.mark.slow
def test_a_run_brings_back_a_minority_whose_kind_the_server_has(
    defaults: dict[str, Any], tmp_path: Path
) -> None:
    config = {"network": "perceptron", "num-rounds": 4, "figures": False, "root-data": 60}
    given = defaults | TURNED | config | {"results-dir": str(tmp_path / "run")}
    run_in_this_process(RunConfig.parse(given))
    clients = RunFolder(tmp_path / "run").clients
    back = clients[clients["brought_back_by"] == "root data"]
    assert set(back["client"]) >= {"3", "19"}
    assert set(back["client"]) <= {"3", "4", "14", "19"}
    assert not back["judged_malicious"].any()
