"""Two Flower projects of other people, defended, attacked and recorded, under real ``flwr run``.

A fifth of their clients is malicious. They stand in ``tests/foreign_projects`` and import the project as
a wheel that is installed. Slow: about half a minute each.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pawbrofl_app.engines.flower_programs import flower_environment, installed_program, local_superlink
from report import RunRecords
from report.judgements import judgements
from tests.conftest import PROJECT

pytestmark = pytest.mark.slow

FOREIGN = PROJECT / "tests" / "foreign_projects"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library as an installed wheel."""
    folder = tmp_path_factory.mktemp("library")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    subprocess.run([*pip, str(PROJECT)], check=True, timeout=300)
    return folder


def run(project: str, library: Path, home: Path) -> tuple[str, RunRecords]:
    """Run a project with five simulated clients to its end and return its log and its records."""
    environment = flower_environment(home) | {"PYTHONPATH": str(library)}
    command = [installed_program("flwr"), "run", str(FOREIGN / project), "--stream"]
    command += ["--federation-config", "num-supernodes=5 client-resources-num-cpus=1"]
    command += ["--run-config", f"results='{home / 'results'}'"]
    with local_superlink(home, environment):
        finished = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=1200, check=False
        )
    log = re.sub(r"\x1b\[\d+m", "", finished.stdout + finished.stderr)
    assert finished.returncode == 0, log
    return log, RunRecords.of(home / "results")


def the_attacker(records: RunRecords) -> str:
    """Return who alone was judged malicious, in all of three rounds."""
    assert len(records.clients) == 15
    (judgement,) = judgements(records)
    assert judgement.num_judged == judgement.num_rounds == 3
    return judgement.client


@pytest.mark.parametrize("project", ["quickstart_fit", "quickstart_message"])
def test_two_lines_of_the_server_are_changed(project: str) -> None:
    (server,) = FOREIGN.glob(f"{project}/*/server_app.py")
    assert server.read_text().count("# changed") == 2


@pytest.mark.long
def test_a_scikit_learn_project_with_aggregate_fit(library: Path, tmp_path: Path) -> None:
    log, records = run("quickstart_fit", library, tmp_path)
    assert log.count("aggregate_fit: aggregated 5 updates") == 3, log
    assert log.count("5 of 5 clients report no metric `loss_gap`") == 1
    losses = [float(loss) for loss in re.findall(r"round \d: ([\d.]+)", log)]
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    attacker = the_attacker(records)
    assert attacker in (tmp_path / "results" / "report.html").read_text()
    assert records.rounds[3]["clients_accuracy"] > 0.5


@pytest.mark.long
def test_a_pytorch_project_with_the_message_api(library: Path, tmp_path: Path) -> None:
    log, records = run("quickstart_message", library, tmp_path)
    assert log.count("aggregate_train: aggregated 5 updates") == 3, log
    assert "report no metric" not in log
    gaps = [float(gap) for gap in re.findall(r"'loss-gap': ([-\d.e]+)", log)]
    assert gaps
    assert gaps[0] > 0
    accuracies = [float(accuracy) for accuracy in re.findall(r"'accuracy': '?([\d.e+-]+)", log)]
    assert accuracies[-1] > 0.5
    attacker = the_attacker(records)
    assert f"<li>{attacker} since round 1" in (tmp_path / "results" / "report.html").read_text()
    assert records.rounds[3]["clients_accuracy"] == pytest.approx(accuracies[-1], abs=1e-3)
