"""`pawbrofl run` under Ray: nothing goes on when it is killed or told to end, and nobody else gets in.

Slow (half a minute each).
"""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from pawbrofl_app.engines.flower_programs import CONNECTION
from pawbrofl_app.engines.watchdog import processes_of

pytestmark = pytest.mark.slow

LONG = "num-rounds=500 num-clients=4 malicious-fraction=0.25 epsilon=0.25 network='perceptron'"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run in its first round, and the folder of its programs."""
    given = f"{LONG} results-dir='{tmp_path / 'run'}'"
    command = [sys.executable, "-m", "pawbrofl_app.command", "run", "--run-config", given]
    temporary = Path(tempfile.mkdtemp(prefix="p"))  # short, for Ray's sockets
    environment = os.environ | {"TMPDIR": str(temporary)}
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert started.stdout is not None
    log = ""
    while "evaluated round 1" not in log:
        line = started.stdout.readline()
        assert line, log
        log += line
    (home,) = temporary.glob("pawbrofl-home-*")
    assert len(processes_of(home)) > 5
    yield started, home
    started.kill()
    started.communicate()
    check_nothing_is_left_after(home, 10)
    temporary.rmdir()  # nor did Ray leave anything


def named(home: Path, part: str) -> list[psutil.Process]:
    return [process for process in processes_of(home) if part in " ".join(process.cmdline())]


def check_nothing_is_left_after(home: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while home.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(home) == []
    assert not home.exists()


@pytest.mark.long
def test_all_that_a_killed_command_started_ends_within_ten_seconds(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    started, home = running
    started.kill()
    check_nothing_is_left_after(home, 10)


@pytest.mark.long
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_exit_status_and_nothing_is_left(
    running: tuple[subprocess.Popen[str], Path], number: signal.Signals, status: int
) -> None:
    started, home = running
    started.send_signal(number)
    output, _ = started.communicate(timeout=60)
    assert started.returncode == status, output
    assert ("goes on" in output) == (number == signal.SIGINT), output
    check_nothing_is_left_after(home, 10)


@pytest.mark.long
def test_without_its_superlink_a_run_ends(running: tuple[subprocess.Popen[str], Path]) -> None:
    started, home = running
    for superlink in named(home, "guarded_superlink"):
        superlink.kill()
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "error: the run did not finish" in output
    check_nothing_is_left_after(home, 0)


JOIN = """
import sys
import ray

ray.init(address=sys.argv[1], log_to_driver=False)
print(ray.get(ray.remote(lambda: "executed").options(num_cpus=0).remote()))
"""


@pytest.mark.long
def test_neither_ray_nor_the_superlink_obeys_who_has_no_token_of_the_run(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    _, home = running
    of_run = processes_of(home)
    assert all(is_loopback(address) for address in listening(of_run))
    address = tomllib.loads((home / "config.toml").read_text())["superlink"][CONNECTION]["address"]
    control = f"http://{address}/v1/control/start-run"
    assert httpx.post(control).status_code == 401
    arguments = [word for process in of_run for word in process.cmdline()]
    gcs = next(word.partition("=")[2] for word in arguments if word.startswith("--gcs-address="))
    outside = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    outside["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # looks for the cluster on loopback

    def join(**credentials: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", JOIN, gcs]
        environment = outside | credentials
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)

    for refused in (join(), join(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0" * 64)):
        assert refused.returncode != 0
        assert "executed" not in refused.stdout
        assert "authenticat" in refused.stderr.lower()
    (token,) = {process.environ()["RAY_AUTH_TOKEN"] for process in of_run}
    joined = join(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token)
    assert "executed" in joined.stdout, joined.stderr


def listening(processes: list[psutil.Process]) -> list[str]:
    """Return the addresses that processes listen on."""
    connections = [one for process in processes for one in process.net_connections(kind="inet")]
    return [one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN]


def is_loopback(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
