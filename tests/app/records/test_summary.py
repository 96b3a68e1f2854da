"""A run's summary: from its tables, to JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from pawbrofl_app.records.fairness import Fairness
from pawbrofl_app.records.layout import ClientEvaluation
from pawbrofl_app.records.summary import MEASURES, RunSummary
from pawbrofl_app.records.writer import RunWriter
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.evaluation import Evaluation
from pawbrofl_app.tasks.task import Subgroup

from .conftest import MALICIOUS


def summary_of(records: RunWriter) -> RunSummary:
    return RunSummary.of(records.rounds, records.clients, records.groups, MALICIOUS)


def test_it_compares_judgement_with_truth(records: RunWriter, config: RunConfig) -> None:
    summary = summary_of(records)
    assert summary.malicious == ["2"]
    assert summary.judged_malicious == ["2", "3"]
    assert (summary.precision, summary.recall) == (0.5, 1.0)
    assert summary.test_accuracy == 0.8
    text = "\n".join(summary.lines(config, records.run.path))
    assert str(records.run.path) in text
    assert "attack success rate    0.0200" in text
    assert "largest optimality gap 0.3000 of honest clients (of all, " in text


def test_it_says_how_evenly_clients_are_served(records: RunWriter, config: RunConfig) -> None:
    assert "worst 10%" not in "".join(summary_of(records).lines(config, records.run.path))
    records.add_evaluations(3, [ClientEvaluation("0", 0.5, 0.9, 70)], 0.0)
    records.add_round(3, Evaluation(0.8, 1.0, 0.0), 0.5)
    summary = summary_of(records)
    assert summary.fairness == Fairness(0.9, 0.9, 0.0, 0.5, 0.5, 0.0)
    assert summary.as_json()["worst_honest_loss"] == 0.5
    assert "accuracy 0.9000, worst 10%" in "".join(summary.lines(config, records.run.path))


def test_it_says_how_uneven_classes_and_subgroups_fare(records: RunWriter, config: RunConfig) -> None:
    assert "classes" not in "".join(summary_of(records).lines(config, records.run.path))
    assert {"subgroups", "test_balanced_accuracy"}.isdisjoint(summary_of(records).as_json())
    for server_round, accuracy in ((3, 0.5), (4, 0.75)):
        subgroups = (Subgroup("sex=Female", 20, accuracy), Subgroup("sex=Male", 30, 0.9))
        records.add_subgroups(server_round, subgroups)
        records.add_round(server_round, Evaluation(0.84, 1.0, 0.0, 0.66, subgroups), 0.5)
    assert list(records.run.subgroups["accuracy"]) == [0.5, 0.9, 0.75, 0.9]
    summary = RunSummary.of(
        records.rounds, records.clients, records.groups, MALICIOUS, subgroups=records.subgroups
    )
    assert summary.test_balanced_accuracy == 0.66
    assert summary.subgroups == [Subgroup("sex=Female", 20, 0.75), Subgroup("sex=Male", 30, 0.9)]
    text = "\n".join(summary.lines(config, records.run.path))
    assert "test accuracy          0.8400, mean over the classes 0.6600" in text
    assert "accuracy of subgroups  sex=Female 0.7500, sex=Male 0.9000" in text
    records.save_summary(summary)
    assert records.run.summary.subgroups == summary.subgroups
    assert records.run.summary.test_balanced_accuracy == 0.66


def test_the_log_names_forty_of_a_thousand_clients(records: RunWriter, config: RunConfig) -> None:
    many = replace(summary_of(records), malicious=[str(client) for client in range(1000)])
    text = "\n".join(many.lines(config, records.run.path))
    assert "malicious clients      0, 1, 2," in text
    assert ", 38, 39 and 960 more\n" in text


def test_it_is_json_to_every_reader_and_null_where_nothing_is_known(records: RunWriter) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(f"JSON knows no {constant}")

    summary = summary_of(records)
    records.save_summary(summary)
    text = (records.run.path / "summary.json").read_text()
    read = json.loads(text, parse_constant=refuse)
    assert math.isnan(summary.fairness.honest_loss)
    assert read["honest_loss"] is None
    assert read["precision"] == summary.precision


def test_the_file_says_which_run_it_was_and_how_long_it_took(
    records: RunWriter, config: RunConfig
) -> None:
    records.save_summary(summary_of(records))
    read = json.loads((records.run.path / "summary.json").read_text())
    assert read["seed"] == config.seed
    assert read["settings"] == records.run.settings
    assert read["seconds"] == 0.5 + 2 * (1.5 + 0.25 + 0.5)
    finished = datetime.strptime(read["finished"], "%Y-%m-%dT%H:%M:%S%z")
    assert abs(datetime.now(finished.tzinfo) - finished) < timedelta(minutes=5)


def test_what_is_read_back_is_what_was_saved(records: RunWriter) -> None:
    records.add_evaluations(2, [ClientEvaluation("0", 0.5, 0.9, 70)], 0.0)
    records.add_round(2, Evaluation(0.8, 1.0, 0.0), 0.5)
    summary = summary_of(records)
    records.save_summary(summary)
    assert records.run.summary == summary
    assert tuple(summary.measures) == MEASURES
    assert summary.measures["honest_loss"] == 0.5


@pytest.mark.parametrize("text", ["", "[]", "{}", '"test_accuracy"', "1"])
def test_something_else_is_no_summary(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is no summary|Expecting value"):
        RunSummary.from_json(text)
