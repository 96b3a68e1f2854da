"""Writes a run's folder: its settings, what happened in every round, and the model."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Collection, Mapping, Sequence
from logging import WARNING
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import tomli_w
import torch
from flwr.common.logger import log
from torch import nn

from strategies.diagnostics import ClientDiagnostics, RoundDiagnostics

from ..settings.run_config import InvalidSetting
from ..tasks.evaluation import Evaluation
from ..tasks.task import Subgroup
from ..trackers import Tracker
from . import layout
from .buffered_folder import BufferedFolder
from .csv_table import Row, Table, values_of
from .fairness import Fairness
from .folder_lock import claim, release
from .groups import Groups
from .layout import ClientEvaluation, ClientRow, EvaluationRow, RoundRow, SubgroupRow
from .run_folder import RunFolder
from .summary import RunSummary
from .tracking import Tracking
from .versions import changed_versions, versions

if TYPE_CHECKING:
    import pandas as pd


class Failure(Protocol):
    """A client that sent no reply that can be read: who, whether it sent something, and why."""

    client: str
    node: str
    replied: bool
    left_out: str


class RunWriter:
    """Writes the folder of one run, row by row, so that a run cut short leaves what it had.

    Parameters
    ----------
    folder : Path
        The run's folder, which exists: empty, or to be resumed.
    settings : mapping of str to object
        All settings of the run, to be recorded under their names in the run config.
    num_clients : int
    malicious : collection of int
        The partition ids of the clients that are truly malicious.
    minority : collection of int
        Those of the honest minority, if there is any.
    tracker : Tracker, optional
        Where the measures go as well.
    has_personal_models : bool
        Whether clients evaluate personal models, so that groups are scored under those.

    Attributes
    ----------
    run : RunFolder
        What is on the disk.

    Raises
    ------
    InvalidSetting
        Where another process writes to the folder.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        *,
        num_clients: int,
        malicious: Collection[int],
        minority: Collection[int] = (),
        tracker: Tracker | None = None,
        has_personal_models: bool = False,
    ) -> None:
        self.run = RunFolder(folder)
        self._malicious = {str(client) for client in malicious}
        self._honest = {str(client) for client in range(num_clients)} - self._malicious
        self._groups = Groups.of(self._honest, {str(client) for client in minority})
        self._lock = claim(folder)
        self._files = BufferedFolder(folder)
        self._diagnostics = RoundDiagnostics(0, (), 0.0, 0.0)
        self._fairness = (0, Fairness(), 0.0)
        self._evaluated: dict[str, float] = {}
        self._personal: dict[str, float] = {}
        self._has_personal_models = has_personal_models
        # Without the folder, so that the file can be given to another run.
        self._settings = {**settings, "results-dir": "", "resume": False}
        self._tracking = None if tracker is None else Tracking(tracker, folder, self._settings)
        if not self.run.is_run:
            self._files.replace(layout.SETTINGS, tomli_w.dumps(self._settings).encode())
        if not (folder / layout.VERSIONS).is_file():
            self._files.replace(layout.VERSIONS, _as_json(versions()))
        elif changed := changed_versions(self.run.versions):
            log(
                WARNING,
                "the run is resumed with other versions than it began with, and may end otherwise: %s",
                ", ".join(changed),
            )

    def close(self) -> None:
        """Let other processes write to the folder."""
        if self._tracking is not None:
            self._tracking.close(is_finished=self.run.is_finished)
        release(self._lock)

    @property
    def lengths(self) -> dict[str, int] | None:
        """How long the files with rows are, for a checkpoint; None where rows are not on the disk."""
        return self._files.lengths if self._files.is_complete else None

    def cut_back(self, lengths: dict[str, int]) -> None:
        """Take rows away that were added after a checkpoint.

        Raises
        ------
        InvalidSetting
            Where rows from before the checkpoint are missing, or the folder cannot be written to.
        """
        try:
            self._files.cut_back([table.file for table in layout.TABLES], lengths)
        except (OSError, ValueError) as problem:
            raise InvalidSetting(
                f"results-dir {str(self.run.path)!r} cannot be resumed: {problem}"
            ) from problem

    @property
    def rounds(self) -> pd.DataFrame:
        """As `RunFolder.rounds`, with rows that are not on the disk yet."""
        return layout.ROUNDS.read(self._files.read(layout.ROUNDS.file))

    @property
    def clients(self) -> pd.DataFrame:
        """As `RunFolder.clients`, with rows that are not on the disk yet."""
        return layout.CLIENTS.read(self._files.read(layout.CLIENTS.file))

    @property
    def evaluations(self) -> pd.DataFrame:
        """As `RunFolder.evaluations`, with rows that are not on the disk yet."""
        return layout.EVALUATIONS.read(self._files.read(layout.EVALUATIONS.file))

    @property
    def groups(self) -> pd.DataFrame:
        """As `RunFolder.groups`, with rows that are not on the disk yet."""
        return layout.GROUPS.read(self._files.read(layout.GROUPS.file))

    @property
    def subgroups(self) -> pd.DataFrame:
        """As `RunFolder.subgroups`, with rows that are not on the disk yet."""
        return layout.SUBGROUPS.read(self._files.read(layout.SUBGROUPS.file))

    def add_clients(self, diagnostics: RoundDiagnostics) -> None:
        """Add one row for each client whose reply arrived in a round."""
        self._diagnostics = diagnostics
        self._append_clients(diagnostics.server_round, diagnostics.clients)

    def add_failures(self, server_round: int, failures: Sequence[Failure]) -> None:
        """Add one row for each client of a round that sent no reply, or none that can be read."""
        clients = [
            ClientDiagnostics(
                client=failure.client,
                robust_weight=0.0,
                weight=0.0,
                loss_gap=math.nan,
                judged_malicious=failure.replied,
                num_examples=0,
                left_out=failure.left_out,
                node=failure.node,
            )
            for failure in failures
        ]
        self._append_clients(server_round, clients)

    def add_evaluations(
        self, server_round: int, evaluations: Sequence[ClientEvaluation], seconds: float
    ) -> None:
        """Add one row for each client that was to evaluate the model after a round, which took seconds.

        Measures of fairness are of those that say to be one of the run's honest clients.
        """
        honest = [one for one in evaluations if not one.left_out and one.client in self._honest]
        fairness = Fairness.of([one.accuracy for one in honest], [one.loss for one in honest])
        self._fairness = (server_round, fairness, seconds)
        self._evaluated = {one.client: one.accuracy for one in honest}
        self._personal = {
            one.client: one.test_accuracy for one in honest if not math.isnan(one.test_accuracy)
        }
        rows = [EvaluationRow(server_round, one, one.client in self._malicious) for one in evaluations]
        self._append(layout.EVALUATIONS, rows)

    def add_groups(self, server_round: int, accuracies: Mapping[int, Mapping[str, float]]) -> None:
        """Add one row for each group, given each model's accuracies on images of the groups' kinds.

        After the round's clients and their evaluations; nothing where there is no minority. Models go by
        the number of their branch, 0 for the global one.
        """
        is_round = self._diagnostics.server_round == server_round
        trained = self._diagnostics.clients if is_round else ()
        evaluated, personal = self._evaluated, self._personal
        if self._fairness[0] != server_round:
            evaluated = personal = {}
        under_personal_models = self._has_personal_models and server_round > 0
        rows = self._groups.rows(
            server_round, accuracies, trained, evaluated, personal if under_personal_models else None
        )
        self._append(layout.GROUPS, rows)
        if self._tracking is not None:
            self._tracking.add_groups(rows)

    def add_subgroups(self, server_round: int, subgroups: Sequence[Subgroup]) -> None:
        """Add one row for each subgroup of the test samples, if there are any."""
        self._append(layout.SUBGROUPS, [SubgroupRow(server_round, one) for one in subgroups])

    def add_round(self, server_round: int, evaluation: Evaluation, evaluation_seconds: float) -> None:
        """Add a round's row, after its clients and their evaluations; round 0 is the initial model."""
        trained, (evaluated_round, fairness, seconds) = self._diagnostics, self._fairness
        if trained.server_round != server_round:
            trained = RoundDiagnostics(server_round, (), 0.0, 0.0)
        if evaluated_round != server_round:
            fairness, seconds = Fairness(), 0.0
        gaps = {one.client: one.loss_gap for one in trained.clients if math.isfinite(one.loss_gap)}
        honest_gaps = [gap for client, gap in gaps.items() if client not in self._malicious]
        row = RoundRow(
            round=server_round,
            test_accuracy=evaluation.accuracy,
            test_loss=evaluation.loss,
            test_balanced_accuracy=evaluation.balanced_accuracy,
            attack_success_rate=evaluation.attack_success_rate,
            largest_gap=max(gaps.values(), default=math.nan),
            largest_honest_gap=max(honest_gaps, default=math.nan),
            fairness=fairness,
            training_seconds=trained.training_seconds,
            aggregation_seconds=trained.aggregation_seconds,
            evaluation_seconds=evaluation_seconds + seconds,
        )
        self._append(layout.ROUNDS, [row])
        if self._tracking is not None:
            self._tracking.add_round(values_of(row))

    def save_model(self, model: nn.Module, branch: int = 0) -> None:
        """Save the state dict of the global model, or a branch's, for ``weights_only=True``."""
        content = io.BytesIO()
        torch.save(model.state_dict(), content)
        name = layout.MODEL_OF_BRANCH.format(branch) if branch else layout.MODEL
        self._files.replace(name, content.getvalue())

    def save_summary(self, summary: RunSummary) -> None:
        """Save the summary, which says that the run is finished, after all else.

        With the run's seed and settings, when it was finished, and how many seconds its rounds took.

        Raises
        ------
        ResultsElsewhere
            Where the folder cannot be written to. The message names another that holds what is missing.
        """
        seconds = float(self.rounds[layout.SECONDS].to_numpy().sum())
        finished = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        run = {"seed": self._settings["seed"], "finished": finished, "seconds": round(seconds, 3)}
        content = summary.as_json() | run | {"settings": self._settings}
        self._files.complete(layout.SUMMARY, _as_json(content))

    def _append_clients(self, server_round: int, clients: Sequence[ClientDiagnostics]) -> None:
        rows = [
            ClientRow(
                round=server_round,
                client=client.client,
                loss_gap=client.loss_gap,
                robust_weight=client.robust_weight,
                weight=client.weight,
                judged_malicious=client.judged_malicious,
                truly_malicious=client.client in self._malicious,
                num_examples=client.num_examples,
                left_out=client.left_out,
                branch=client.branch,
                node=client.node,
                brought_back_by=client.brought_back_by,
            )
            for client in clients
        ]
        self._append(layout.CLIENTS, rows)

    def _append(self, table: Table[Row], rows: Sequence[Row]) -> None:
        if rows:
            is_first = not self._files.has(table.file)
            self._files.append(table.file, table.to_csv(rows, header=is_first))


def _as_json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
