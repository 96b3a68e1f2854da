"""`RoundReport` in a whole federation of somebody else: what it writes while the rounds go on."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.common import EvaluateRes, Status, ndarrays_to_parameters
from flwr.common.typing import Code

from attacks import malicious
from pawbrofl_app.engines.in_process import InProcessGrid
from report import RoundReport, RunRecords
from strategies import PAwBRoFL
from strategies.diagnostics import ClientDiagnostics, RoundDiagnostics
from strategies.message import PAwBRoFL as MessagePAwBRoFL
from tests.conftest import PROJECT

NUM_CLIENTS = 10
TARGET = np.linspace(-1, 1, 50)


def client_app(mods: list[Any]) -> ClientApp:
    """Clients that each go half the way to the target, with a little noise of their own."""
    app = ClientApp(mods=mods)

    @app.train()
    def _(message: Message, context: Context) -> Message:
        (model,) = message.content["arrays"].to_numpy_ndarrays()
        number = int(context.node_config["partition-id"])
        noise = np.random.default_rng(number).normal(0, 0.01, TARGET.shape)
        trained = model + 0.5 * (TARGET - model) + noise
        gap = float(np.square(TARGET - model).mean() - np.square(TARGET - trained).mean())
        metrics = {"num-examples": 10, "loss-gap": gap, "partition-id": number}
        records = {"arrays": ArrayRecord([trained]), "metrics": MetricRecord(metrics)}
        return Message(RecordDict(records), reply_to=message)

    @app.evaluate()
    def _(message: Message, context: Context) -> Message:
        metrics = MetricRecord({"num-examples": 10, "accuracy": 0.5})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
    (model,) = arrays.to_numpy_ndarrays()
    return MetricRecord({"accuracy": 1 / (1 + float(np.square(TARGET - model).mean()))})


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a federation of which two clients of ten flip their updates."""
    folder = tmp_path_factory.mktemp("attacked") / "results"
    app = client_app([malicious("sign-flip", fraction=0.2, seed=1)])
    grid = InProcessGrid(app, {}, NUM_CLIENTS)
    strategy = MessagePAwBRoFL(on_round=RoundReport(folder), min_available_nodes=NUM_CLIENTS)
    strategy.start(grid, ArrayRecord([np.zeros(50)]), num_rounds=4, evaluate_fn=evaluate)
    return folder


def attackers() -> list[str]:
    mod = malicious("sign-flip", fraction=0.2, seed=1)
    places = [{"partition-id": k, "num-partitions": NUM_CLIENTS} for k in range(NUM_CLIENTS)]
    return [str(place["partition-id"]) for place in places if mod.place(place)]


def test_every_client_of_every_round_is_recorded(attacked: Path) -> None:
    rows = list(csv.DictReader((attacked / "clients.csv").open()))
    assert len(rows) == 4 * NUM_CLIENTS
    judged = {row["client"] for row in rows if row["judged_malicious"] == "True"}
    assert judged == set(attackers())
    for number in "1234":
        weights = [float(row["weight"]) for row in rows if row["round"] == number]
        assert math.isclose(sum(weights), 1, rel_tol=0.2)


def test_rounds_have_what_server_and_clients_evaluated(attacked: Path) -> None:
    rounds = RunRecords.of(attacked).rounds
    assert list(rounds) == [0, 1, 2, 3, 4]
    accuracies = [rounds[number]["server_accuracy"] for number in range(5)]
    assert accuracies == sorted(accuracies)
    assert [rounds[number]["clients_accuracy"] for number in (1, 2, 3, 4)] == pytest.approx([0.5] * 4)
    assert "clients_accuracy" not in rounds[0]
    assert all(rounds[number]["judged_malicious"] == 2 for number in (1, 2, 3, 4))
    assert all(
        rounds[number]["largest_gap"] >= rounds[number]["worst_gap"] > 0 for number in (1, 2, 3, 4)
    )


def test_the_page_is_there_and_names_the_attackers(attacked: Path) -> None:
    page = (attacked / "report.html").read_text()
    for client in attackers():
        assert f"<li>{client} since round 1" in page
    assert "server accuracy" in page


def test_a_program_that_ends_leaves_the_whole_page(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(PROJECT)!r})
from report import RoundReport
from strategies.diagnostics import ClientDiagnostics, RoundDiagnostics
report = RoundReport("results")
for number in range(1, 6):
    report(RoundDiagnostics(number, (ClientDiagnostics("7", 1.0, 1.0, 0.1, False, 5),), 0.1, 0.1))
    report._page._took = 1e9  # as on a machine where pages take long: made at the end alone
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    page = (tmp_path / "results" / "report.html").read_text()
    assert "<b>5</b><span>rounds</span>" in page


def one_round(number: int = 1) -> RoundDiagnostics:
    client = ClientDiagnostics("3", 1.0, 1.0, math.nan, False, 5)
    return RoundDiagnostics(number, (client,), 0.5, 0.1)


def test_records_of_another_run_are_not_touched(tmp_path: Path) -> None:
    first, second, third = (RoundReport(tmp_path / "results") for _ in range(3))
    for report in (first, second, third):
        report(one_round())
    assert [one.folder.name for one in (first, second, third)] == ["results", "results-2", "results-3"]
    assert all((one.folder / "report.html").is_file() for one in (first, second, third))


def test_symbolic_links_in_the_folder_are_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "clients.csv").symlink_to(tmp_path / "not there yet")
    report = RoundReport(folder)
    (tmp_path / "results-2").mkdir()
    precious.write_text("keep")
    for name in ("rounds.csv", "report.html"):
        (tmp_path / "results-2" / name).symlink_to(precious)
        (tmp_path / "results-2" / f".{name}-{os.getpid()}").symlink_to(precious)
    report(one_round())
    report.write_page()
    assert report.folder.name == "results-2"
    assert precious.read_text() == "keep"
    assert not (tmp_path / "not there yet").exists()
    assert (report.folder / "rounds.csv").read_text().startswith("round,")
    assert not any(path.is_symlink() for path in report.folder.iterdir())


def test_a_folder_that_cannot_be_written_ends_no_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file")
    RoundReport(tmp_path / "taken")(one_round())
    assert "records cannot be written" in caplog.text


def test_aggregate_fit_projects_are_recorded_as_well(tmp_path: Path) -> None:
    report = RoundReport(tmp_path)
    strategy = PAwBRoFL(
        on_round=report,
        evaluate_fn=lambda server_round, arrays, config: (0.25, {"accuracy": 0.75}),
        evaluate_metrics_aggregation_fn=lambda metrics: {"accuracy": 0.5},
    )
    model = ndarrays_to_parameters([np.zeros(3)])
    assert strategy.evaluate(0, model) == (0.25, {"accuracy": 0.75})
    reply: Any = (None, EvaluateRes(Status(Code.OK, ""), loss=1.5, num_examples=3, metrics={}))
    assert strategy.aggregate_evaluate(1, [reply], []) == (1.5, {"accuracy": 0.5})
    assert RunRecords.of(report.folder).rounds == {
        0: {"server_loss": 0.25, "server_accuracy": 0.75},
        1: {"clients_loss": 1.5, "clients_accuracy": 0.5},
    }
