"""The records of a run: one folder with its settings, what happened in every round, and the model."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w
import torch
from torch import nn

from strategies.diagnostics import RoundDiagnostics

from .evaluation import Evaluation
from .run_config import InvalidSetting, RunConfig

DEFAULT_RESULTS = Path.home() / "pawbrofl-results"
RECORDED_VERSIONS = ("flwr", "numpy", "pandas", "ray", "scipy", "torch", "torchvision")


class RunRecords:
    """Writes the folder of one run, row by row, so that a run cut short leaves what it had.

    Parameters
    ----------
    config : RunConfig
        The run's settings; ``results_dir`` names the folder, which must not exist yet. Empty: a new
        one under ``~/pawbrofl-results``.
    malicious : collection of int
        The numbers of the clients that are truly malicious.

    Raises
    ------
    InvalidSetting
        Where the folder exists or cannot be made.
    """

    def __init__(self, config: RunConfig, malicious: Collection[int]) -> None:
        self.config = config
        self.malicious = {str(client) for client in malicious}
        self.folder = _new_folder(config.results_dir)
        self._diagnostics: RoundDiagnostics | None = None
        settings = config.as_settings() | {"results-dir": str(self.folder)}
        (self.folder / "settings.toml").write_text(tomli_w.dumps(settings))
        (self.folder / "versions.json").write_text(json.dumps(_versions(), indent=2) + "\n")

    @property
    def has_clients(self) -> bool:
        """Whether any round had a reply."""
        return (self.folder / "clients.csv").is_file()

    @property
    def rounds(self) -> pd.DataFrame:
        """What ``rounds.csv`` holds."""
        return pd.read_csv(self.folder / "rounds.csv")

    @property
    def clients(self) -> pd.DataFrame:
        """What ``clients.csv`` holds."""
        return pd.read_csv(self.folder / "clients.csv", keep_default_na=True, dtype={"client": str})

    def add_clients(self, diagnostics: RoundDiagnostics) -> None:
        """Append one row for each client of a round to ``clients.csv``."""
        self._diagnostics = diagnostics
        self._append(
            "clients.csv",
            [
                {
                    "round": diagnostics.server_round,
                    "client": client.client,
                    "loss_gap": client.loss_gap,
                    "robust_weight": client.robust_weight,
                    "weight": client.weight,
                    "judged_malicious": client.judged_malicious,
                    "truly_malicious": client.client in self.malicious,
                    "num_examples": client.num_examples,
                    "left_out": client.left_out,
                }
                for client in diagnostics.clients
            ],
        )

    def add_round(self, server_round: int, evaluation: Evaluation, evaluation_seconds: float) -> None:
        """Append a round's row to ``rounds.csv``; round 0 is the initial model."""
        diagnostics = self._diagnostics
        if diagnostics is not None and diagnostics.server_round != server_round:
            diagnostics = None
        clients = () if diagnostics is None else diagnostics.clients
        gaps = {client.client: client.loss_gap for client in clients if math.isfinite(client.loss_gap)}
        benign = [gap for client, gap in gaps.items() if client not in self.malicious]
        row = {
            "round": server_round,
            "test_accuracy": evaluation.accuracy,
            "test_loss": evaluation.loss,
            "attack_success_rate": evaluation.attack_success_rate,
            "largest_gap": max(gaps.values(), default=math.nan),
            "largest_benign_gap": max(benign, default=math.nan),
            "training_seconds": 0.0 if diagnostics is None else diagnostics.training_seconds,
            "aggregation_seconds": 0.0 if diagnostics is None else diagnostics.aggregation_seconds,
            "evaluation_seconds": evaluation_seconds,
        }
        self._append("rounds.csv", [row])

    def save_model(self, model: nn.Module) -> None:
        """Save a model's state dict as ``model.pt``, for ``torch.load(..., weights_only=True)``."""
        torch.save(model.state_dict(), self.folder / "model.pt")

    def _append(self, name: str, rows: list[dict[str, Any]]) -> None:
        path = self.folder / name
        pd.DataFrame(rows).to_csv(path, mode="a", header=not path.exists(), index=False)


def _new_folder(results_dir: str) -> Path:
    folder = Path(results_dir) if results_dir else DEFAULT_RESULTS / time.strftime("%Y%m%d-%H%M%S")
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InvalidSetting(
            f"results-dir must be a folder that does not exist yet, got {str(folder)!r}: nothing "
            "was written over"
        ) from None
    except OSError as problem:
        raise InvalidSetting(f"results-dir {str(folder)!r} cannot be made: {problem}") from problem
    return folder


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in RECORDED_VERSIONS}
