"""Real `flwr run` simulations on Ray: what they leave, and that every engine gives the same numbers.

Slow (half a minute each). Every test starts Flower as a user does, through the project's command.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from ray.cluster_utils import Cluster

from pawbrofl_app.command import main
from pawbrofl_app.engines.machine import ClientResources, Machine
from pawbrofl_app.records.layout import SECONDS
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.tasks.convolutional_networks import ConvolutionalNetwork

pytestmark = pytest.mark.slow

SMALL = "num-rounds=2 local-epochs=1 num-clients=8 malicious-fraction=0.25 epsilon=0.25"
EVERYTHING = (
    f"{SMALL} fraction-fit=0.75 fraction-evaluate=0.5 aggregator='filtering' "
    "attack='alie+additive-noise(strength=0.5)+colluding-report' "
    "personalization='ditto(lambda=0.5)' figures=false"
)


def run(results: Path, settings: str, *options: str) -> str:
    """Run the project's command to its end and return its log."""
    given = f"{settings} results-dir='{results}'"
    command = [sys.executable, "-m", "pawbrofl_app.command", "run", "--run-config", given, *options]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("first") / "run"
    return folder, run(folder, SMALL)


def run_in_process(results: Path, settings: str) -> None:
    given = f"{settings} results-dir='{results}'"
    assert main(["run", "--engine", "in-process", "--run-config", given]) == 0


def records_of(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    run = RunFolder(folder)
    return run.rounds.drop(columns=SECONDS), run.clients.drop(columns="node")  # drawn anew in each run


def check_same(folder: Path, other: Path) -> None:
    for ours, theirs in zip(records_of(folder), records_of(other), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


@pytest.mark.long
def test_a_run_leaves_all_its_records(first_run: tuple[Path, str]) -> None:
    folder, _ = first_run
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    figures = {"accuracy.png", "attack_success_rate.png", "largest_gap.png", "weights.png"}
    assert names == {
        "settings.toml",
        "versions.json",
        "rounds.csv",
        "clients.csv",
        "model.pt",
        "report.html",
        "summary.json",
    } | {f"figures/{name}" for name in figures}
    rounds, clients = records_of(folder)
    assert rounds["round"].tolist() == [0, 1, 2]
    assert len(clients) == 16, "every client takes part in every round"
    assert clients["truly_malicious"].sum() == 4
    assert clients["loss_gap"].notna().all()
    model = ConvolutionalNetwork()
    model.load_state_dict(torch.load(RunFolder(folder).model_path, weights_only=True))


@pytest.mark.long
def test_the_log_says_how_many_actors_there_were(first_run: tuple[Path, str]) -> None:
    _, log = first_run
    actors = ClientResources.on(Machine.this(), 8, "auto").num_actors
    assert f"{actors} clients train at a time" in log
    assert re.search(rf"^{actors} actors, of at most [1-9]\d* MB of memory each$", log, re.MULTILINE)


@pytest.mark.long
def test_the_log_names_the_folder_and_the_outcome(first_run: tuple[Path, str]) -> None:
    folder, log = first_run
    summary = RunFolder(folder).summary
    assert log.count(str(folder)) >= 2
    assert f"test accuracy          {summary.test_accuracy:.4f}" in log
    assert f"malicious clients      {', '.join(summary.malicious)}" in log
    assert "judged malicious" in log


@pytest.mark.long
def test_two_nodes_of_a_ray_cluster_give_the_same_records(
    first_run: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        run(tmp_path / "cluster", SMALL)
    finally:
        cluster.shutdown()
    check_same(first_run[0], tmp_path / "cluster")


@pytest.mark.long
def test_the_in_process_engine_gives_the_same_records(
    first_run: tuple[Path, str], tmp_path: Path
) -> None:
    run_in_process(tmp_path / "run", f"{SMALL} figures=false")
    check_same(first_run[0], tmp_path / "run")


@pytest.fixture(scope="module")
def one_actor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run under Ray of much that needs other clients, or something from round to round.

    Colluding attackers, whom and how many a round draws, personal models, evaluation at clients.
    """
    folder = tmp_path_factory.mktemp("one") / "run"
    run(folder, EVERYTHING, "--client-resources-num-cpus", str(Machine.this().processors))
    return folder


def test_one_actor_gives_the_same_records_as_none(one_actor: Path, tmp_path: Path) -> None:
    run_in_process(tmp_path / "run", EVERYTHING)
    check_same(one_actor, tmp_path / "run")
    ray, in_process = RunFolder(one_actor), RunFolder(tmp_path / "run")
    pd.testing.assert_frame_equal(ray.evaluations, in_process.evaluations, check_exact=True)
    assert ray.summary.personal.known
    assert ray.summary.personal == in_process.summary.personal
    assert not (tmp_path / "run" / "figures").exists()


def test_rounds_draw_different_clients(one_actor: Path) -> None:
    _, clients = records_of(one_actor)
    taking_part = clients.groupby("round")["client"].apply(set)
    assert [len(each) for each in taking_part] == [6, 6]
    assert taking_part[1] != taking_part[2]
    together = clients[clients["truly_malicious"]].groupby("round").size()
    assert together.max() == 2, "attackers that collude"
