"""A real federation with TLS and authentication: killed, late and unknown SuperNodes, and a clean end.

Slow (two minutes on two idle cores), as every message starts a process that imports PyTorch.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deployment.certificates import make_supernode_key
from pawbrofl_app.command import LOOPBACK_SETTINGS
from pawbrofl_app.engines.flower_programs import Program
from pawbrofl_app.engines.loopback_federation import LoopbackFederation, node_config
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.roles import malicious_clients
from pawbrofl_app.settings.command_line import read_settings
from pawbrofl_app.settings.run_config import RunConfig

pytestmark = pytest.mark.slow


def processes_of(folder: Path) -> list[int]:
    """Return all processes that were started with a federation's environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("FLWR_HOME") == str(folder):
                found.append(process.pid)
    return found


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    folder = tmp_path_factory.mktemp("results")
    given = f"num-rounds=4 figures=false results-dir='{folder / 'run'}'"
    return read_settings([str(LOOPBACK_SETTINGS), given], folder)


class Watched:
    """A run whose log is read line by line."""

    def __init__(self, streaming: subprocess.Popen[str]) -> None:
        self.streaming = streaming
        self.log = ""

    def read_until(self, text: str) -> None:
        for line in self.streaming.stdout or ():
            self.log += line
            if text in line:
                return
        pytest.fail(f"the run ended without {text!r}:\n{self.log}")


@pytest.fixture(scope="module")
def federation(
    tmp_path_factory: pytest.TempPathFactory, config: RunConfig
) -> Iterator[LoopbackFederation]:
    folder = tmp_path_factory.mktemp("federation")
    with LoopbackFederation(folder) as started:
        started.start_superlink()
        for client in range(config.federation.num_clients):
            started.register_supernode(f"supernode-{client}")
            started.start_supernode(f"supernode-{client}", node_config(config, client))
        yield started
        assert processes_of(folder)
    assert processes_of(folder) == [], "nothing outlives the federation"


def wait_until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 1200
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def has_client_app(supernode: Program) -> bool:
    """Return whether the SuperNode works on a message, for which it starts a process."""
    started = psutil.Process(supernode.process.pid).children(recursive=True)
    for process in started:
        with contextlib.suppress(psutil.Error):
            if any("flwr-clientapp" in part for part in process.cmdline()):
                return True
    return False


def restart(federation: LoopbackFederation, name: str, told: str) -> None:
    """Start a SuperNode again until the SuperLink lets it in."""

    def times_let_in() -> int:
        return (federation.folder / f"{name}.log").read_text().count("SuperNode ID: ")

    before = times_let_in()
    for _ in range(20):
        program = federation.start_supernode(name, told)
        wait_until(lambda program=program: not program.runs or times_let_in() > before)
        if times_let_in() > before:
            return
    pytest.fail(f"{name} does not come back:\n{program.log.read_text()}")


@pytest.mark.long
def test_an_unknown_key_is_refused(federation: LoopbackFederation) -> None:
    make_supernode_key(federation.folder, "stranger")
    stranger = federation.start_supernode("stranger", "partition-id=0 num-partitions=4")
    assert stranger.process.wait(600) != 0
    assert "stranger" not in federation.flwr("supernode", "list", "--format", "json").stdout


@pytest.mark.long
def test_a_run_survives_a_killed_supernode(federation: LoopbackFederation, config: RunConfig) -> None:
    (malicious,) = malicious_clients(config)
    killed = next(client for client in range(4) if client != malicious)
    run = Watched(federation.run_app(config))
    run.read_until("[ROUND 2]")
    run.read_until("configure_fit")
    supernode = federation.supernodes[f"supernode-{killed}"]
    wait_until(lambda: has_client_app(supernode))
    supernode.signal(signal.SIGKILL)
    # SuperLink lets the same key in again only after it has missed its heartbeats for a minute. Round 3
    # may begin before the SuperNode is back, round 4 does not.
    run.read_until("aggregate_fit: received 3 results, 1 failures")
    restart(federation, f"supernode-{killed}", node_config(config, killed))
    run.read_until("results are in")

    rows = RunFolder(config.results.results_dir).clients
    replied = rows[rows["left_out"] == ""].groupby("round")["client"].agg(set)
    everybody = {"0", "1", "2", "3"}
    assert replied[1] == replied[4] == everybody
    assert replied[2] == everybody - {str(killed)}
    missing = rows[rows["left_out"] != ""]
    assert missing[["round", "client"]].to_numpy().tolist() == [[2, str(killed)]]
    assert missing["left_out"].iloc[0].startswith("no reply: ")
    assert f"no reply from client {killed} (node " in run.log
    all_answered = [number for number, clients in replied.items() if clients == everybody]
    theirs = rows[(rows["client"] == str(malicious)) & rows["round"].isin(all_answered)]
    assert theirs["judged_malicious"].all()
    assert theirs["weight"].max() < 0.05
    assert RunFolder(config.results.results_dir).rounds["test_accuracy"].iloc[-1] > 0.5


def test_an_interrupt_stops_everything(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pawbrofl_app.command", "federation", "--run-config"]
    command.append(f"num-clients=2 epsilon=0 results-dir='{tmp_path / 'run'}'")
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run = Watched(running)
    run.read_until("logs in")
    folder = Path(run.log.split("logs in ")[1].splitlines()[0])
    run.read_until("[ROUND 1]")
    assert processes_of(folder)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=1200)
    assert running.returncode == 130
    assert f"pawbrofl resume {tmp_path / 'run'} goes on" in errors
    assert processes_of(folder) == []
    assert not folder.exists()
