"""What a run's writer writes, read back."""

from __future__ import annotations

import importlib.metadata
import math
from typing import Any

import pytest
import torch
from torch import nn

from pawbrofl_app.records import buffered_folder
from pawbrofl_app.records.layout import ClientEvaluation
from pawbrofl_app.records.writer import RunWriter
from pawbrofl_app.rounds.client_failures import ClientFailure
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.evaluation import Evaluation


def test_rounds_hold_what_happened(records: RunWriter) -> None:
    rounds = records.run.rounds
    assert rounds["round"].tolist() == [0, 1, 2]
    assert rounds["test_accuracy"].tolist() == [0.1, 0.4, 0.8]
    assert math.isnan(rounds["largest_gap"][0])
    assert rounds["largest_gap"][2] == 4.0
    assert rounds["largest_honest_gap"][2] == 0.3
    assert rounds["training_seconds"][1] == 1.5


def test_lengths_are_told_only_while_all_rows_are_on_the_disk(
    records: RunWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint holds them, and without all rows there must be none."""
    rows = records.run.path / "rounds.csv"
    assert records.lengths is not None
    assert records.lengths["rounds.csv"] == rows.stat().st_size
    with monkeypatch.context() as patched:
        patched.setattr(buffered_folder, "append_at", refuse)
        records.add_round(3, Evaluation(0.8, 1.0, 0.0), 0.5)
        assert records.lengths is None
    records.add_round(4, Evaluation(0.8, 1.0, 0.0), 0.5)
    assert records.lengths["rounds.csv"] == rows.stat().st_size


def refuse(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_clients_hold_who_counted_how_much(records: RunWriter) -> None:
    clients = records.run.clients
    assert len(clients) == 8
    assert clients["truly_malicious"].tolist() == [False, False, True, False] * 2
    assert clients["judged_malicious"].tolist() == [False, False, True, True] * 2
    assert clients["left_out"][3] == "array 0 holds NaN or infinity"


def test_a_round_without_replies_has_no_gap(records: RunWriter) -> None:
    records.add_round(3, Evaluation(0.8, 1.0, 0.0), 0.5)
    assert math.isnan(records.run.rounds["largest_gap"][3])


def test_evaluations_are_recorded_and_only_those_of_honest_clients_make_the_measures(
    records: RunWriter,
) -> None:
    assert not (records.run.path / "evaluations.csv").exists()
    assert records.run.rounds["honest_loss"].isna().all()
    evaluations = [
        ClientEvaluation("0", 0.5, 0.9, 70),
        ClientEvaluation("1", 1.5, 0.7, 71),
        ClientEvaluation("2", 1e9, 0.0, 72),
        ClientEvaluation("3", math.nan, math.nan, 0, "no reply: it died"),
        ClientEvaluation("4", 9.0, 0.1, 70),
    ]
    records.add_evaluations(3, evaluations, 2.0)
    records.add_round(3, Evaluation(0.8, 1.0, 0.0), 0.5)
    records.add_round(4, Evaluation(0.8, 1.0, 0.0), 0.5)
    table = records.run.evaluations
    assert table["truly_malicious"].tolist() == [False, False, True, False, False]
    assert table["left_out"][3] == "no reply: it died"
    rounds = records.run.rounds
    row = rounds.iloc[3]  # the run has clients 0 to 3
    assert (row["honest_loss"], row["worst_honest_loss"]) == (1.0, 1.5)
    assert (row["honest_accuracy"], row["worst_honest_accuracy"]) == (pytest.approx(0.8), 0.7)
    assert row["evaluation_seconds"] == 2.5
    assert rounds.iloc[4][["honest_loss", "worst_honest_accuracy"]].isna().all()


def test_clients_that_failed_are_recorded_with_the_reason(records: RunWriter) -> None:
    failures = [
        ClientFailure("1", "it\ndied", node="4711"),
        ClientFailure("2", "KeyError: 'x'", replied=True),
    ]
    records.add_failures(3, failures)
    clients = records.run.clients
    rows = clients[clients["round"] == 3]
    assert rows["left_out"].tolist() == ["no reply: it died", "unreadable reply: KeyError: 'x'"]
    assert rows["node"].tolist() == ["4711", "2"]
    assert rows["judged_malicious"].tolist() == [False, True]
    assert rows["truly_malicious"].tolist() == [False, True]
    assert rows["weight"].tolist() == [0.0, 0.0]


def test_settings_can_be_run_again(records: RunWriter, config: RunConfig) -> None:
    assert RunConfig.parse(records.run.settings) == config.replace(results_dir="")


def test_versions_are_those_that_are_installed(records: RunWriter) -> None:
    assert records.run.versions["torch"] == torch.__version__.split("+")[0]
    assert records.run.versions["pawbrofl"] == importlib.metadata.version("pawbrofl")


def test_the_model_is_saved_as_a_state_dict(records: RunWriter) -> None:
    model = nn.Linear(3, 2)
    records.save_model(model)
    state = torch.load(records.run.model_path, weights_only=True)
    assert torch.equal(state["weight"], model.weight)


def test_rows_that_the_disk_did_not_take_are_read_as_well(
    records: RunWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pawbrofl_app.records.buffered_folder.append_at", full)
    records.add_round(3, Evaluation(0.9, 1.0, 0.02), 0.5)
    assert len(records.run.rounds) == 3
    assert records.rounds["test_accuracy"].tolist() == [0.1, 0.4, 0.8, 0.9]
    assert records.lengths is None, "no checkpoint may count on them"
