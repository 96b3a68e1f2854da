"""Majority and minority in the records: rows a round, summary, lines, and nothing without a minority."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.image import imread

from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.records import run_figures
from pawbrofl_app.records.groups import GroupMeasures
from pawbrofl_app.records.layout import ClientEvaluation
from pawbrofl_app.records.opening import open_records
from pawbrofl_app.records.run_figures import draw_figures
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.records.summary import OF_MINORITY, RunSummary
from pawbrofl_app.records.writer import RunWriter
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.evaluation import Evaluation
from pawbrofl_app.tasks.minorities import MAJORITY, MINORITY
from strategies.branch_state import MAIN
from strategies.diagnostics import ClientDiagnostics, RoundDiagnostics

ATTACKER, MEMBER = "0", "1"
EVEN = dict.fromkeys("01234", 0.2)


def clients(weights: dict[str, float]) -> tuple[ClientDiagnostics, ...]:
    return tuple(
        ClientDiagnostics(name, weight, weight, 2.0 if weight == 0 else 0.1, weight == 0, 10)
        for name, weight in weights.items()
    )


@pytest.fixture
def config(tmp_path: Path, defaults: dict[str, Any]) -> RunConfig:
    settings = {"results-dir": str(tmp_path / "run"), "num-clients": 5, "minority": "rotated"}
    return RunConfig.parse(defaults | settings)


@pytest.fixture
def records(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunWriter]:
    monkeypatch.setattr(RunConfig, "minority_clients", (int(MEMBER),))
    records = open_records(config, [int(ATTACKER)])
    records.add_groups(0, {MAIN: {MAJORITY: 0.1, MINORITY: 0.1}})
    records.add_round(0, Evaluation(0.1, 2.3, 0.0), 0.5)
    for server_round in (1, 2, 3):
        weights = {ATTACKER: 0.2, MEMBER: 0.0, "2": 0.3, "3": 0.3, "4": 0.2}
        records.add_clients(RoundDiagnostics(server_round, clients(weights), 1.0, 0.5))
        if server_round == 3:
            evaluations = [
                ClientEvaluation(name, 1.0, accuracy, 10)
                for name, accuracy in ((ATTACKER, 0.0), (MEMBER, 0.3), ("2", 0.9), ("3", 0.8))
            ]
            records.add_evaluations(3, evaluations, 0.0)
        records.add_groups(server_round, {MAIN: {MAJORITY: 0.3 * server_round, MINORITY: 0.1}})
        records.add_round(server_round, Evaluation(0.4, 1.0, 0.02), 0.5)
    yield records
    records.close()


def summary_of(records: RunWriter) -> RunSummary:
    tables = (records.rounds, records.clients, records.groups)
    return RunSummary.of(*tables, [int(ATTACKER)], [int(MEMBER)])


def test_each_group_has_a_row_a_round(records: RunWriter) -> None:
    table = records.run.groups
    pd.testing.assert_frame_equal(table, records.groups)
    assert table["round"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert table["group"].tolist() == [MAJORITY, MINORITY] * 4
    rows = table.set_index(["group", "round"])
    assert rows.loc[(MAJORITY, 0), ["weight", "judged_malicious"]].isna().all()
    assert rows.loc[(MAJORITY, 2), "weight"] == pytest.approx(0.8)
    assert rows.loc[(MINORITY, 2), "weight"] == 0.0
    assert rows.loc[(MAJORITY, 2), "judged_malicious"] == 0.0
    assert rows.loc[(MINORITY, 2), "judged_malicious"] == 1.0
    assert math.isnan(rows.loc[(MINORITY, 2), "worst_accuracy"])
    assert rows.loc[(MAJORITY, 3), "worst_accuracy"] == 0.8
    assert rows.loc[(MINORITY, 3), "worst_accuracy"] == 0.3


def test_a_group_is_scored_under_the_models_that_its_clients_are_given(records: RunWriter) -> None:
    members = (replace(one, branch=1 if one.client == MEMBER else MAIN) for one in clients(EVEN))
    records.add_clients(RoundDiagnostics(4, tuple(members), 1.0, 0.5))
    records.add_groups(4, {MAIN: {MAJORITY: 0.9, MINORITY: 0.1}, 1: {MAJORITY: 0.2, MINORITY: 0.8}})
    rows = records.groups.set_index(["round", "group"])["accuracy"]
    assert rows[4].to_dict() == {MAJORITY: 0.9, MINORITY: 0.8}
    shared = (replace(one, branch=1 if one.client in "23" else MAIN) for one in clients(EVEN))
    records.add_clients(RoundDiagnostics(5, tuple(shared), 1.0, 0.5))
    records.add_groups(5, {MAIN: {MAJORITY: 0.9, MINORITY: 0.1}, 1: {MAJORITY: 0.3, MINORITY: 0.8}})
    rows = records.groups.set_index(["round", "group"])["accuracy"]
    assert rows[5].to_dict() == {MAJORITY: pytest.approx((0.9 + 2 * 0.3) / 3), MINORITY: 0.1}


def test_the_summary_has_a_line_a_group(records: RunWriter, config: RunConfig) -> None:
    summary = summary_of(records)
    assert summary.groups == GroupMeasures(
        majority_accuracy=pytest.approx(0.9),
        minority_accuracy=0.1,
        worst_majority_accuracy=0.8,
        worst_minority_accuracy=0.3,
        majority_weight=pytest.approx(0.8),
        minority_weight=0.0,
        majority_judged_malicious=0.0,
        minority_judged_malicious=1.0,
    )
    lines = summary.lines(config, records.run.path)
    assert "minority clients       1" in lines
    (majority,) = (line for line in lines if line.startswith("honest majority"))
    assert "accuracy 0.9000 on images of their kind, worst 10% on their own data 0.8000" in majority
    (minority,) = (line for line in lines if line.startswith("honest minority"))
    assert "0.0000 of the final weights, judged malicious 1.00" in minority
    records.save_summary(summary)
    assert records.run.summary == summary


def test_who_is_left_out_again_and_again_is_in_summary_and_lines(
    records: RunWriter, config: RunConfig
) -> None:
    summary = summary_of(records)
    (left_out,) = summary.repeatedly_left_out
    assert (left_out.client, left_out.since_round, left_out.num_rounds) == (MEMBER, 1, 3)
    (line,) = (
        line for line in summary.lines(config, records.run.path) if line.startswith("left out rep")
    )
    assert "1 since round 1; median gap 2.0000, of the others 0.1000; either an attack or an" in line


@pytest.mark.slow
def test_the_groups_are_drawn(records: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_figures, "DPI", 50)
    paths = draw_figures(records.rounds, records.clients, records.groups, records.run.figures_path, "")
    assert paths[-1].name == "groups.png"
    assert imread(paths[-1]).std() > 0.01


def test_rows_after_a_checkpoint_are_taken_back(records: RunWriter) -> None:
    lengths = records.lengths
    assert lengths is not None
    records.add_groups(4, {MAIN: {MAJORITY: 0.3, MINORITY: 0.1}})
    assert len(records.run.groups) == 10
    records.cut_back(lengths)
    assert records.run.groups["round"].max() == 3


QUICK = {
    "network": "perceptron",
    "num-clients": 10,
    "num-rounds": 3,
    "local-epochs": 1,
    "training-samples": 700,
    "figures": False,
    "fraction-evaluate": 1.0,
}


def run(settings: dict[str, Any], folder: Path) -> RunFolder:
    run_in_this_process(RunConfig.parse(settings | QUICK | {"results-dir": str(folder)}))
    return RunFolder(folder)


@pytest.mark.mostly_slow(2)
@pytest.mark.parametrize("minority", ["rotated", "classes"])
def test_a_run_with_a_minority_records_its_groups(
    defaults: dict[str, Any], tmp_path: Path, minority: str
) -> None:
    finished = run(defaults | {"minority": minority, "attack": "none"}, tmp_path / "run")
    table, summary = finished.groups, finished.summary
    assert len(table) == 2 * 4
    assert table.loc[table["round"] > 0, ["accuracy", "worst_accuracy", "weight"]].notna().all(axis=None)
    assert len(summary.minority) == 2
    last = table[table["round"] == 3].set_index("group")
    assert summary.groups.minority_accuracy == last.loc[MINORITY, "accuracy"]
    shares = table.groupby("round")["weight"].sum()
    assert shares[1:].tolist() == pytest.approx([1.0] * 3)
    if minority == "rotated":  # the majority's own kind is that of the whole test part
        assert summary.groups.majority_accuracy == summary.test_accuracy


@pytest.mark.slow
def test_a_run_without_a_minority_says_nothing_of_groups_and_names_its_attackers(
    defaults: dict[str, Any], tmp_path: Path
) -> None:
    finished = run(defaults, tmp_path / "run")
    assert not (finished.path / "groups.csv").exists()
    assert finished.groups.empty
    content = json.loads((finished.path / "summary.json").read_text())
    assert not OF_MINORITY & set(content)
    assert not finished.summary.groups.has_minority
    assert [one.client for one in finished.summary.repeatedly_left_out] == finished.summary.malicious
