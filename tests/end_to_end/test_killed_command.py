"""`pawbrofl run` under Ray, killed or bereft of its SuperLink: nothing goes on.

Slow (half a minute each).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

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


def test_all_that_a_killed_command_started_ends_within_ten_seconds(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    started, home = running
    started.kill()
    check_nothing_is_left_after(home, 10)


def test_without_its_superlink_a_run_ends(running: tuple[subprocess.Popen[str], Path]) -> None:
    started, home = running
    for superlink in named(home, "flower-superlink"):
        superlink.kill()
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "error: the run did not finish" in output
    check_nothing_is_left_after(home, 0)
