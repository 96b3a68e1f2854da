"""The records of a run: one folder with its settings, what happened in every round, and the model."""

from __future__ import annotations

import io
import json
import math
import platform
from collections.abc import Collection, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w
import torch
from torch import nn

from strategies.diagnostics import RoundDiagnostics

from ..rounds.client_evaluations import ClientEvaluation
from ..rounds.client_failures import ClientFailure
from ..settings.run_config import InvalidSetting, RunConfig
from ..tasks.evaluation import Evaluation
from .event_files import TensorBoardEvents
from .fairness import Fairness
from .results_folder import ResultsFolder
from .run_folder import SETTINGS, claim, folder_of

RECORDED_VERSIONS = ("flwr", "numpy", "pandas", "ray", "scipy", "torch", "torchvision")
VERSIONS = "versions.json"
ROUNDS = "rounds.csv"
CLIENTS = "clients.csv"
EVALUATIONS = "evaluations.csv"
MODEL = "model.pt"
SUMMARY = "summary.json"


class RunRecords:
    """Writes the folder of one run, row by row, so that a run cut short leaves what it had.

    Parameters
    ----------
    config : RunConfig
        The run's settings. ``results_dir`` names the folder, which must not exist yet unless the run
        is a resumed one. Empty: a new one under ``~/pawbrofl-results``.
    malicious : collection of int
        The numbers of the clients that are truly malicious.

    Attributes
    ----------
    folder : Path

    Raises
    ------
    InvalidSetting
        Where the folder exists or cannot be made; of a resumed run, where the settings differ from
        those recorded there, or another process still writes there.
    """

    def __init__(self, config: RunConfig, malicious: Collection[int]) -> None:
        self.config = config
        self.malicious = {str(client) for client in malicious}
        self.folder = folder_of(config)
        self._lock = claim(self.folder)
        self._results = ResultsFolder(self.folder)
        self._diagnostics: RoundDiagnostics | None = None
        self._fairness: tuple[int, Fairness, float] | None = None
        self._events = TensorBoardEvents(self.folder) if config.results.tensorboard else None
        if not (self.folder / SETTINGS).is_file():
            settings = config.as_settings() | {"results-dir": str(self.folder), "resume": False}
            self._results.replace(SETTINGS, tomli_w.dumps(settings).encode())
        if not (self.folder / VERSIONS).is_file():
            self._results.replace(VERSIONS, (json.dumps(_versions(), indent=2) + "\n").encode())

    def close(self) -> None:
        """Let other processes write to the folder."""
        if self._events is not None:
            self._events.close()
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()

    @property
    def is_finished(self) -> bool:
        """Whether the folder is that of a run which came to its end."""
        return (self.folder / SUMMARY).is_file()

    @property
    def lengths(self) -> dict[str, int] | None:
        """How long the files with rows are, for a checkpoint; None where rows are not on the disk."""
        return self._results.lengths if self._results.is_complete else None

    def cut_back(self, lengths: dict[str, int]) -> None:
        """Take rows away that were added after a checkpoint.

        Raises
        ------
        InvalidSetting
            Where rows from before the checkpoint are missing, or the folder cannot be written to.
        """
        try:
            self._results.cut_back((ROUNDS, CLIENTS, EVALUATIONS), lengths)
        except (OSError, ValueError) as problem:
            raise InvalidSetting(
                f"results-dir {str(self.folder)!r} cannot be resumed: {problem}"
            ) from problem

    @property
    def has_clients(self) -> bool:
        """Whether any round had a reply."""
        return self._results.has(CLIENTS)

    @property
    def rounds(self) -> pd.DataFrame:
        """What ``rounds.csv`` holds."""
        return pd.read_csv(io.StringIO(self._results.read(ROUNDS)))

    @property
    def clients(self) -> pd.DataFrame:
        """What ``clients.csv`` holds."""
        rows = io.StringIO(self._results.read(CLIENTS))
        return pd.read_csv(rows, keep_default_na=True, dtype={"client": str})

    def add_clients(self, diagnostics: RoundDiagnostics) -> None:
        """Append one row for each client of a round to ``clients.csv``."""
        self._diagnostics = diagnostics
        self._append(
            CLIENTS,
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

    def add_evaluations(
        self, server_round: int, evaluations: Sequence[ClientEvaluation], seconds: float
    ) -> None:
        """Append one row for each client that was to evaluate to ``evaluations.csv``.

        Measures of fairness are of those that say to be one of the run's honest clients.

        Parameters
        ----------
        server_round : int
        evaluations : sequence of ClientEvaluation
        seconds : float
            How long they took.
        """
        names = {str(client) for client in range(self.config.federation.num_clients)} - self.malicious
        honest = [one for one in evaluations if not one.left_out and one.client in names]
        fairness = Fairness.of([one.accuracy for one in honest], [one.loss for one in honest])
        self._fairness = (server_round, fairness, seconds)
        rows = [
            {"round": server_round} | asdict(one) | {"truly_malicious": one.client in self.malicious}
            for one in evaluations
        ]
        self._append(EVALUATIONS, rows)

    def add_round(self, server_round: int, evaluation: Evaluation, evaluation_seconds: float) -> None:
        """Append a round's row to ``rounds.csv``, after its clients and their evaluations.

        Round 0 is the initial model.
        """
        diagnostics = self._diagnostics
        if diagnostics is not None and diagnostics.server_round != server_round:
            diagnostics = None
        clients = () if diagnostics is None else diagnostics.clients
        gaps = {client.client: client.loss_gap for client in clients if math.isfinite(client.loss_gap)}
        honest = [gap for client, gap in gaps.items() if client not in self.malicious]
        fairness, seconds = Fairness(), 0.0
        if self._fairness is not None and self._fairness[0] == server_round:
            _, fairness, seconds = self._fairness
        row = {
            "round": server_round,
            "test_accuracy": evaluation.accuracy,
            "test_loss": evaluation.loss,
            "attack_success_rate": evaluation.attack_success_rate,
            "largest_gap": max(gaps.values(), default=math.nan),
            "largest_honest_gap": max(honest, default=math.nan),
            **asdict(fairness),
            "training_seconds": 0.0 if diagnostics is None else diagnostics.training_seconds,
            "aggregation_seconds": 0.0 if diagnostics is None else diagnostics.aggregation_seconds,
            "evaluation_seconds": evaluation_seconds + seconds,
        }
        self._append(ROUNDS, [row])
        if self._events is not None:
            self._events.add_round(row)

    def add_failures(self, server_round: int, failures: Sequence[ClientFailure]) -> None:
        """Append one row for each client of a round that sent no reply, or none that can be read."""
        self._append(
            CLIENTS,
            [
                {
                    "round": server_round,
                    "client": failure.client,
                    "loss_gap": math.nan,
                    "robust_weight": 0.0,
                    "weight": 0.0,
                    "judged_malicious": failure.replied,
                    "truly_malicious": failure.client in self.malicious,
                    "num_examples": 0,
                    "left_out": f"{'unreadable' if failure.replied else 'no'} reply: {failure.reason}",
                }
                for failure in failures
            ],
        )

    def save_model(self, model: nn.Module) -> None:
        """Save a model's state dict as ``model.pt``, for ``torch.load(..., weights_only=True)``."""
        content = io.BytesIO()
        torch.save(model.state_dict(), content)
        self._results.replace(MODEL, content.getvalue())

    def save_summary(self, summary: str) -> None:
        """Save ``summary.json``, which says that the run is finished, after all else.

        Raises
        ------
        ResultsElsewhere
            Where the folder cannot be written to. The message names another that holds what is missing.
        """
        self._results.complete()
        self._results.replace(SUMMARY, summary.encode())
        self._results.complete()

    def _append(self, name: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._results.append(
                name, pd.DataFrame(rows).to_csv(header=not self._results.has(name), index=False)
            )


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in RECORDED_VERSIONS}
