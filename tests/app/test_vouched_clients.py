"""The setting ``vouched``: names that can be relied on, and a run that keeps a minority by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from flwr.serverapp import Grid

from pawbrofl_app.client_app import make_client_app
from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.rounds.client_names import vouching_in
from pawbrofl_app.server_app import serve
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig

FEW_ROUNDS: dict[str, Any] = {
    "attack": "none",
    "minority": "rotated",
    "network": "perceptron",
    "num-rounds": 4,
    "local-epochs": 2,
    "figures": False,
}
MINORITY = ["3", "4", "14", "19"]


class SuperNodes:
    """A grid whose nodes report what they like."""


def test_in_a_simulation_they_are_vouched_for_by_their_partition_ids(
    defaults: dict[str, Any],
) -> None:
    grid = InProcessGrid(make_client_app(), {}, 20)
    config = RunConfig.parse(defaults | {"vouched": "3, 7"})
    vouching = vouching_in(config, grid)
    assert (vouching.clients, vouching.by_partition_id) == ({"3", "7"}, True)
    message = "vouched must be partition ids below num-clients 20 in a simulation, got '20'"
    with pytest.raises(InvalidSetting, match=message):
        vouching_in(config.replace(vouched="20"), grid)
    of_minority = config.replace(vouched="minority=2", minority="rotated")
    assert vouching_in(of_minority, grid).clients == set(MINORITY[:2])


def test_among_supernodes_they_are_vouched_for_by_their_node_ids(defaults: dict[str, Any]) -> None:
    grid = cast(Grid, SuperNodes())
    config = RunConfig.parse(defaults | {"vouched": "16143958131457346253"})
    vouching = vouching_in(config, grid)
    assert (vouching.clients, vouching.by_partition_id) == ({"16143958131457346253"}, False)
    with pytest.raises(InvalidSetting, match=r"vouched must be node ids .* can claim .* got '3'"):
        vouching_in(config.replace(vouched="3"), grid)


def test_who_cannot_be_named_is_refused_before_anything_is_written(
    defaults: dict[str, Any], tmp_path: Path
) -> None:
    config = RunConfig.parse(defaults | {"vouched": "3", "results-dir": str(tmp_path / "run")})
    with pytest.raises(InvalidSetting, match="vouched must be node ids"):
        serve(cast(Grid, SuperNodes()), config)
    assert not (tmp_path / "run").exists()


def test_aggregators_that_know_no_vouching_refuse_it(defaults: dict[str, Any]) -> None:
    for aggregator in ("fed-median", "afl"):
        with pytest.raises(InvalidSetting, match=f"must be empty with aggregator '{aggregator}'"):
            RunConfig.parse(defaults | {"vouched": "3", "aggregator": aggregator})


@pytest.mark.slow
def test_a_minority_with_a_vouched_client_is_kept_and_the_records_say_who(
    defaults: dict[str, Any], tmp_path: Path
) -> None:
    def run(name: str, **settings: Any) -> RunFolder:
        given = {"results-dir": str(tmp_path / name), **settings}
        run_in_this_process(RunConfig.parse(defaults | FEW_ROUNDS | given))
        return RunFolder(tmp_path / name)

    plain, kept = run("plain"), run("kept", vouched="3")
    again = plain.clients[plain.clients["brought_back_by"] != ""]
    assert again.empty
    back = kept.clients[kept.clients["brought_back_by"] == "vouching"]
    assert set(back["client"]) == {"3"}
    assert len(back) >= 3
    assert (back["weight"] > 0.5 / 20).all()
    assert not back["judged_malicious"].any()
    accuracy = [one.groups.query("group == 'minority'")["accuracy"].iloc[-1] for one in (plain, kept)]
    assert accuracy[1] > accuracy[0] + 0.1
    majority = [one.groups.query("group == 'majority'")["accuracy"].iloc[-1] for one in (plain, kept)]
    assert majority[1] > majority[0] - 0.05
    model = torch.load(tmp_path / "kept" / "model.pt", weights_only=True)
    assert all(torch.isfinite(array).all() for array in model.values())
