"""Reading a run's folder: types, what is not there yet, and what is damaged."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest

from pawbrofl_app.records.layout import (
    CLIENTS,
    EVALUATIONS,
    MODEL,
    ROUNDS,
    SECONDS,
    SETTINGS,
    SUMMARY,
    VERSIONS,
    ClientRow,
)
from pawbrofl_app.records.run_folder import RunFolder, UnreadableRun
from pawbrofl_app.records.summary import RunSummary
from pawbrofl_app.records.writer import RunWriter
from tests.conftest import PROJECT

FILES = (
    "rounds.csv",
    "clients.csv",
    "evaluations.csv",
    "summary.json",
    "settings.toml",
    "versions.json",
    "model.pt",
)


def test_a_run_that_goes_on_has_what_it_has_so_far(records: RunWriter) -> None:
    run = RunFolder(records.run.path)
    assert (run.is_run, run.is_finished, run.rounds_done) == (True, False, 2)
    assert run.evaluations.empty
    assert list(run.evaluations) == list(EVALUATIONS.columns)
    with pytest.raises(UnreadableRun, match=r"summary\.json is missing; is the run finished\?"):
        _ = run.summary


def test_a_finished_run_says_so(records: RunWriter) -> None:
    records.save_summary(RunSummary.of(records.rounds, records.clients, records.groups, [2]))
    assert records.run.is_finished
    (records.run.path / "clients.csv").unlink()
    with pytest.raises(UnreadableRun, match=r"clients\.csv is missing"):
        _ = records.run.clients


def test_before_its_first_round_a_run_has_empty_tables_of_the_same_types(records: RunWriter) -> None:
    rounds, clients = records.run.rounds, records.run.clients
    for name in ("rounds.csv", "clients.csv"):
        (records.run.path / name).unlink()
    assert records.run.rounds_done == 0
    for empty, full in ((records.run.rounds, rounds), (records.run.clients, clients)):
        assert empty.empty
        assert empty.dtypes.to_dict() == full.dtypes.to_dict()


def test_a_folder_of_something_else_is_no_run(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        run = RunFolder(folder)
        assert (run.is_run, run.is_finished, run.rounds_done) == (False, False, 0)
        with pytest.raises(UnreadableRun, match="is not the folder of a run"):
            _ = run.settings
    with pytest.raises(UnreadableRun, match="is not the folder of a run"):
        _ = RunFolder(tmp_path / "missing").rounds


@pytest.mark.parametrize("name", ["rounds", "clients", "summary", "settings", "versions"])
def test_a_damaged_file_is_named(records: RunWriter, name: str) -> None:
    (path,) = [records.run.path / file for file in FILES if file.startswith(name)]
    path.write_bytes(b'round,client\n1,"\xff\n')
    with pytest.raises(UnreadableRun, match=rf"{path.name} cannot be read: "):
        getattr(records.run, name)


def test_versions_of_another_kind_are_named(records: RunWriter) -> None:
    (records.run.path / "versions.json").write_text("[1]")
    with pytest.raises(UnreadableRun, match=r"versions\.json cannot be read: it holds no versions"):
        _ = records.run.versions


def test_what_a_client_says_of_itself_is_read_as_it_was_said() -> None:
    """Names and reasons that look like something else, and numbers too large for most types."""
    rows = [
        ClientRow(1, "007", math.nan, 0.5, 1e300, False, False, 2**63, ""),
        ClientRow(1, "NA", math.inf, 0.5, 1.0, True, True, -1, "nan"),
        ClientRow(1, "1", 0.1, math.nan, 1.0, True, True, 10**30, 'a "quoted", part'),
    ]
    table = CLIENTS.read(CLIENTS.to_csv(rows, header=True))
    assert table["client"].tolist() == ["007", "NA", "1"]
    assert table["left_out"].tolist() == ["", "nan", 'a "quoted", part']
    assert table["loss_gap"].isna().tolist() == [True, False, False]
    assert math.isinf(table["loss_gap"][1])
    assert [int(number) for number in table["num_examples"]] == [2**63, -1, 10**30]
    assert table["truly_malicious"].tolist() == [False, True, True]


def test_columns_are_those_that_users_know() -> None:
    assert ",".join(ROUNDS.columns) == (
        "round,test_accuracy,test_loss,test_balanced_accuracy,attack_success_rate,largest_gap,"
        "largest_honest_gap,honest_accuracy,"
        "worst_honest_accuracy,honest_accuracy_variance,honest_loss,worst_honest_loss,"
        "honest_loss_variance,training_seconds,aggregation_seconds,evaluation_seconds"
    )
    assert ",".join(CLIENTS.columns) == (
        "round,client,loss_gap,robust_weight,weight,judged_malicious,truly_malicious,num_examples,left_out,branch,node,"
        "brought_back_by"
    )
    assert ",".join(EVALUATIONS.columns) == (
        "round,client,loss,accuracy,num_examples,left_out,test_accuracy,truly_malicious"
    )
    assert SECONDS == ["training_seconds", "aggregation_seconds", "evaluation_seconds"]


def test_file_names_stand_once() -> None:
    named = {ROUNDS.file, CLIENTS.file, EVALUATIONS.file, SUMMARY, SETTINGS, VERSIONS, MODEL}
    assert named == set(FILES)
    found = {
        (str(path.relative_to(PROJECT)), name)
        for package in ("strategies", "attacks", "clients", "pawbrofl_app", "experiments", "deployment")
        for path in (PROJECT / package).rglob("*.py")
        if any(name in path.read_text() for name in FILES)  # to read a syntax tree takes longer
        for text in strings_of(path)
        for name in FILES
        if name in text
    }
    assert found == {("pawbrofl_app/records/layout.py", name) for name in FILES}


def strings_of(path: Path) -> list[str]:
    """Return the texts in a file's code, apart from docstrings."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs)
    return [node.value for node in texts if isinstance(node.value, str)]
