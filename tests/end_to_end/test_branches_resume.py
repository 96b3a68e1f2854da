"""A run with branches or root data, interrupted and resumed, ends the same, also with new node ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pawbrofl_app.client_app import make_client_app
from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.records.checkpoint import Checkpoint, CheckpointFolder
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.server_app import serve
from pawbrofl_app.settings.run_config import RunConfig

pytestmark = pytest.mark.slow

WITH_BRANCHES: dict[str, Any] = {
    "attack": "none",
    "branches": 2,
    "minority": "rotated",
    "network": "perceptron",
    "num-rounds": 7,
    "fraction-evaluate": 1.0,
    "figures": False,
}


class RenumberedGrid(InProcessGrid):
    """Nodes have other ids, as in a federation that was started anew."""

    def __init__(self, config: RunConfig, offset: int) -> None:
        super().__init__(make_client_app(), dict(config.as_settings()), config.federation.num_clients)
        self._contexts = {offset - 7 * node: context for node, context in self._contexts.items()}


class Interrupted(BaseException):
    """What ends the run."""


@pytest.mark.parametrize(
    ("last_round", "more"), [(1, {}), (2, {}), (4, {}), (3, {"branches": 0, "root-data": 60})]
)
def test_the_same_bits_after_an_interruption(
    tmp_path: Path,
    default_settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    last_round: int,
    more: dict[str, Any],
) -> None:
    def config(name: str, **settings: Any) -> RunConfig:
        given = {"results-dir": str(tmp_path / name), **settings}
        return RunConfig.parse(default_settings | WITH_BRANCHES | more | given)

    save = CheckpointFolder.save

    def save_and_end(folder: CheckpointFolder, checkpoint: Checkpoint) -> None:
        save(folder, checkpoint)
        if checkpoint.server_round == last_round:
            raise Interrupted

    whole, parts = config("whole"), config("parts", **{"checkpoint-every": 1})
    serve(RenumberedGrid(whole, 1000), whole)
    with monkeypatch.context() as patched:
        patched.setattr(CheckpointFolder, "save", save_and_end)
        with pytest.raises(Interrupted):
            serve(RenumberedGrid(parts, 1000), parts)
    resumed = config("parts", **{"checkpoint-every": 1, "resume": True})
    serve(RenumberedGrid(resumed, 5000), resumed)
    models = sorted(path.name for path in (tmp_path / "whole").glob("model*.pt"))
    assert models == (["model.pt"] if more else ["model-branch-1.pt", "model.pt"])
    for name in models:
        ours, theirs = (
            torch.load(tmp_path / run / name, weights_only=True) for run in ("parts", "whole")
        )
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    tables = (RunFolder(tmp_path / run).clients.drop(columns="node") for run in ("parts", "whole"))
    pd.testing.assert_frame_equal(*tables)
    back = RunFolder(tmp_path / "whole").clients["brought_back_by"].eq("root data")
    assert back.any() == bool(more)
