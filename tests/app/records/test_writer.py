"""Records, summary and figures of a run, from two rounds of made-up diagnostics."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from matplotlib.image import imread
from torch import nn

from pawbrofl_app.records.fairness import Fairness
from pawbrofl_app.records.run_figures import draw_figures
from pawbrofl_app.records.summary import RunSummary
from pawbrofl_app.records.writer import RunRecords
from pawbrofl_app.rounds.client_evaluations import ClientEvaluation
from pawbrofl_app.rounds.client_failures import ClientFailure
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.evaluation import Evaluation
from strategies.diagnostics import ClientDiagnostics, RoundDiagnostics


def diagnostics(server_round: int) -> RoundDiagnostics:
    clients = (
        ClientDiagnostics("0", 0.5, 0.4, 0.2, False, 70),
        ClientDiagnostics("1", 0.5, 0.6, 0.3, False, 71),
        ClientDiagnostics("2", 0.0, 0.0, 4.0, True, 72),
        ClientDiagnostics("3", 0.0, 0.0, math.nan, True, 73, "array 0 holds NaN or infinity"),
    )
    return RoundDiagnostics(server_round, clients, 1.5, 0.25)


@pytest.fixture
def records(tmp_path: Path, defaults: dict[str, Any]) -> RunRecords:
    config = RunConfig.parse(defaults | {"results-dir": str(tmp_path / "run"), "num-clients": 4})
    records = RunRecords(config, [2])
    records.add_round(0, Evaluation(0.1, 2.3, 0.0), 0.5)
    for server_round in (1, 2):
        records.add_clients(diagnostics(server_round))
        records.add_round(server_round, Evaluation(0.4 * server_round, 1.0, 0.02), 0.5)
    return records


def test_rounds_hold_what_happened(records: RunRecords) -> None:
    rounds = records.rounds
    assert rounds["round"].tolist() == [0, 1, 2]
    assert rounds["test_accuracy"].tolist() == [0.1, 0.4, 0.8]
    assert math.isnan(rounds["largest_gap"][0])
    assert rounds["largest_gap"][2] == 4.0
    assert rounds["largest_honest_gap"][2] == 0.3
    assert rounds["training_seconds"][1] == 1.5


def test_clients_hold_who_counted_how_much(records: RunRecords) -> None:
    clients = records.clients
    assert len(clients) == 8
    assert clients["truly_malicious"].tolist() == [False, False, True, False] * 2
    assert clients["judged_malicious"].tolist() == [False, False, True, True] * 2
    assert clients["left_out"][3] == "array 0 holds NaN or infinity"


def test_a_round_without_replies_has_no_gap(records: RunRecords) -> None:
    records.add_round(3, Evaluation(0.8, 1.0, 0.0), 0.5)
    assert math.isnan(records.rounds["largest_gap"][3])


def test_evaluations_are_recorded_and_only_those_of_honest_clients_make_the_measures(
    records: RunRecords,
) -> None:
    assert not (records.folder / "evaluations.csv").exists()
    assert records.rounds["honest_loss"].isna().all()
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
    table = pd.read_csv(records.folder / "evaluations.csv")
    assert table["truly_malicious"].tolist() == [False, False, True, False, False]
    assert table["left_out"][3] == "no reply: it died"
    row = records.rounds.iloc[3]  # the run has clients 0 to 3
    assert (row["honest_loss"], row["worst_honest_loss"]) == (1.0, 1.5)
    assert (row["honest_accuracy"], row["worst_honest_accuracy"]) == (pytest.approx(0.8), 0.7)
    assert row["evaluation_seconds"] == 2.5
    assert records.rounds.iloc[4][["honest_loss", "worst_honest_accuracy"]].isna().all()


def test_the_summary_says_how_evenly_clients_are_served(records: RunRecords) -> None:
    before = RunSummary.of(records.rounds, records.clients, [2])
    assert "worst 10%" not in "".join(before.lines(records.config, records.folder))
    records.add_evaluations(3, [ClientEvaluation("0", 0.5, 0.9, 70)], 0.0)
    records.add_round(3, Evaluation(0.8, 1.0, 0.0), 0.5)
    summary = RunSummary.of(records.rounds, records.clients, [2])
    assert summary.fairness == Fairness(0.9, 0.9, 0.0, 0.5, 0.5, 0.0)
    assert json.loads(summary.to_json())["worst_honest_loss"] == 0.5
    assert "accuracy 0.9000, worst 10%" in "".join(summary.lines(records.config, records.folder))


def test_settings_can_be_run_again(records: RunRecords, defaults: dict[str, Any]) -> None:
    settings = tomllib.loads((records.folder / "settings.toml").read_text())
    assert RunConfig.parse(settings) == records.config


def test_the_model_is_saved_as_a_state_dict(records: RunRecords) -> None:
    model = nn.Linear(3, 2)
    records.save_model(model)
    state = torch.load(records.folder / "model.pt", weights_only=True)
    assert torch.equal(state["weight"], model.weight)


def test_an_existing_folder_is_left_alone(records: RunRecords) -> None:
    before = sorted(path.name for path in records.folder.iterdir())
    with pytest.raises(InvalidSetting, match="results-dir must be a folder that does not exist yet"):
        RunRecords(records.config, [])
    assert sorted(path.name for path in records.folder.iterdir()) == before


def test_the_summary_compares_judgement_with_truth(records: RunRecords) -> None:
    summary = RunSummary.of(records.rounds, records.clients, [2])
    assert summary.malicious == ["2"]
    assert summary.judged_malicious == ["2", "3"]
    assert (summary.precision, summary.recall) == (0.5, 1.0)
    assert summary.test_accuracy == 0.8
    text = "\n".join(summary.lines(records.config, records.folder))
    assert str(records.folder) in text
    assert "attack success rate    0.0200" in text


def test_a_summary_is_json_to_every_reader_and_null_where_nothing_is_known(records: RunRecords) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(f"JSON knows no {constant}")

    summary = RunSummary.of(records.rounds, records.clients, [2])
    read = json.loads(summary.to_json(), parse_constant=refuse)
    assert math.isnan(summary.fairness.honest_loss)
    assert read["honest_loss"] is None
    assert read["precision"] == summary.precision


def test_figures_are_drawn(records: RunRecords) -> None:
    paths = draw_figures(records.rounds, records.clients, records.folder / "figures")
    names = [path.name for path in paths]
    assert names == ["accuracy.png", "attack_success_rate.png", "largest_gap.png", "weights.png"]
    for path in paths:
        assert imread(path).std() > 0.01, f"{path.name} is empty"


def test_fairness_is_drawn_where_clients_evaluated(records: RunRecords) -> None:
    records.add_evaluations(3, [ClientEvaluation("0", 0.5, 0.9, 70)], 0.0)
    records.add_round(3, Evaluation(0.8, 1.0, 0.0), 0.5)
    paths = draw_figures(records.rounds, records.clients, records.folder / "figures")
    assert paths[-1].name == "fairness.png"
    assert imread(paths[-1]).std() > 0.01


def resumed(records: RunRecords, **changed: Any) -> RunRecords:
    records.close()
    settings = records.config.as_settings() | {"resume": True} | changed
    return RunRecords(RunConfig.parse(settings), [2])


def test_a_resumed_run_goes_on_after_a_checkpoints_rows(records: RunRecords) -> None:
    expected = (records.folder / "rounds.csv").read_text()
    lengths = records.lengths
    assert lengths is not None
    records.add_clients(diagnostics(3))
    records.add_evaluations(3, [ClientEvaluation("0", 0.5, 0.9, 70)], 0.0)
    records.add_round(3, Evaluation(0.9, 1.0, 0.02), 0.5)
    again = resumed(records)
    again.cut_back(lengths)
    assert not (records.folder / "evaluations.csv").exists()
    assert (records.folder / "rounds.csv").read_text() == expected
    assert again.clients["round"].max() == 2
    again.add_round(3, Evaluation(0.9, 1.0, 0.02), 0.5)
    assert again.rounds["round"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seed", 2, "seed must be 1 as in the run to resume, got 2"),
        ("num-rounds", 30, "num-rounds must be 20 as in the run to resume, got 30"),
        ("mu", 0.5, "mu must be 0.05 as in"),
    ],
)
def test_a_resumed_run_has_the_recorded_settings(
    records: RunRecords, name: str, value: Any, message: str
) -> None:
    records.close()
    before = {path: path.read_bytes() for path in records.folder.iterdir()}
    with pytest.raises(InvalidSetting, match=message):
        resumed(records, **{name: value})
    assert {path: path.read_bytes() for path in records.folder.iterdir()} == before


def test_a_run_that_still_goes_on_is_not_resumed(records: RunRecords) -> None:
    again = RunConfig.parse(records.config.as_settings() | {"resume": True})
    with pytest.raises(InvalidSetting, match="must not be that of a run which is still going on"):
        RunRecords(again, [2])
    records.close()
    RunRecords(again, [2]).close()


def test_what_changes_no_number_may_differ(records: RunRecords) -> None:
    resumed(records, **{"round-timeout": 5, "figures": False, "checkpoint-every": 7})


def test_a_folder_of_something_else_is_not_resumed(records: RunRecords, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"")
    with pytest.raises(InvalidSetting, match="is not the folder of a run"):
        resumed(records, **{"results-dir": str(tmp_path / "photos")})


def test_rows_that_are_missing_are_named(records: RunRecords) -> None:
    with pytest.raises(InvalidSetting, match=r"cannot be resumed: .*rounds\.csv is shorter"):
        resumed(records).cut_back({"rounds.csv": 10**6, "clients.csv": 5})


def test_clients_that_failed_are_recorded_with_the_reason(records: RunRecords) -> None:
    failures = [ClientFailure("1", "it\ndied"), ClientFailure("2", "KeyError: 'x'", replied=True)]
    records.add_failures(3, failures)
    rows = records.clients[records.clients["round"] == 3]
    assert rows["left_out"].tolist() == ["no reply: it died", "unreadable reply: KeyError: 'x'"]
    assert rows["judged_malicious"].tolist() == [False, True]
    assert rows["truly_malicious"].tolist() == [False, True]
    assert rows["weight"].tolist() == [0.0, 0.0]
