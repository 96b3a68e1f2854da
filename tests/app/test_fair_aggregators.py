"""A run with a fair aggregator that carries a state, interrupted and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.records.checkpoint import Checkpoint, CheckpointFolder
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings.run_config import RunConfig


class PowerCut(Exception):
    """The process ends."""


@pytest.mark.slow
def test_interrupted_and_resumed_afl_ends_as_if_it_never_was(
    defaults: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = defaults | {
        "aggregator": "afl(step=0.3)",
        "attack": "label-flip+inflated-loss(factor=2)",
        "network": "perceptron",
        "num-clients": 8,
        "fraction-fit": 0.5,
        "num-rounds": 4,
        "local-epochs": 1,
        "figures": False,
        "resume": True,
    }
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    run_in_this_process(RunConfig.parse(settings | {"results-dir": str(whole.path)}))
    save = CheckpointFolder.save

    def save_and_end(folder: CheckpointFolder, checkpoint: Checkpoint) -> None:
        save(folder, checkpoint)
        if checkpoint.server_round == 2:
            assert set(checkpoint.strategy_state) == {"clients", "carried", "num_clients"}
            raise PowerCut

    config = RunConfig.parse(settings | {"results-dir": str(cut.path)})
    monkeypatch.setattr(CheckpointFolder, "save", save_and_end)
    with pytest.raises(PowerCut):
        run_in_this_process(config)
    monkeypatch.setattr(CheckpointFolder, "save", save)
    run_in_this_process(config)
    pd.testing.assert_frame_equal(cut.clients, whole.clients, check_exact=True)
    models = [torch.load(run.model_path, weights_only=True) for run in (cut, whole)]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[1])
