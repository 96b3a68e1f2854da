"""What a command started ends with it, however it ends, and no folder stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pawbrofl_app.engines import watchdog
from pawbrofl_app.engines.watchdog import clean_up_after_the_dead, processes_of

COMMAND = """
import os, subprocess, sys, time
from pawbrofl_app.engines.flower_programs import stopped_by_signals
from pawbrofl_app.engines.watchdog import watched_home

program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
with stopped_by_signals(), watched_home() as home:
    for _ in range(2):
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=os.environ | {"FLWR_HOME": str(home)},
            start_new_session=True,
        )
    print(home, flush=True)
    time.sleep(600)
"""
"""Starts two programs that do not end on request."""


@pytest.fixture
def command(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A command that has begun, and its folder."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    started = subprocess.Popen(
        [sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert started.stdout is not None
    home = Path(started.stdout.readline().strip())
    wait_until(lambda: len(processes_of(home)) == 2 and (home / ".lock").exists())
    yield started, home
    started.kill()
    started.communicate()
    wait_until(lambda: not processes_of(home))


def wait_until(holds: object) -> None:
    assert callable(holds)
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check_nothing_is_left(home: Path) -> None:
    wait_until(lambda: not home.exists())
    assert processes_of(home) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_whatever_ends_the_command_ends_what_it_started(
    command: tuple[subprocess.Popen[str], Path], number: signal.Signals
) -> None:
    started, home = command
    started.send_signal(number)
    asked = time.monotonic()
    check_nothing_is_left(home)
    assert time.monotonic() - asked < watchdog.SECONDS_TO_CLEAN_UP
    assert started.wait(10) != 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_disturb_the_cleaning(
    command: tuple[subprocess.Popen[str], Path], number: signal.Signals
) -> None:
    started, home = command
    started.send_signal(signal.SIGINT)
    for _ in range(5):
        time.sleep(0.1)
        started.send_signal(number)
    assert started.wait(20) != 0
    assert not home.exists()
    assert processes_of(home) == []


@pytest.mark.slow
def test_the_next_start_cleans_up_where_the_watchdog_was_killed_too(
    command: tuple[subprocess.Popen[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, home = command
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(watchdog, "SECONDS_TO_BEGIN", 0.0)
    clean_up_after_the_dead()
    assert len(processes_of(home)) == 2, "somebody watches over them"
    (watching,) = subprocess.run(
        ["pgrep", "-P", str(started.pid), "-f", "watchdog"], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(watching), signal.SIGKILL)
    started.kill()
    started.wait()
    assert len(processes_of(home)) == 2
    clean_up_after_the_dead()
    check_nothing_is_left(home)


def test_folders_of_others_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("pawbrofl-home-young", "pawbrofl-rescued-1", "pawbrofl-home-of-no-watchdog"):
        (tmp_path / name).mkdir()
    (tmp_path / "pawbrofl-home-young" / ".lock").touch()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / ".lock").touch()
    os.utime(tmp_path / "precious" / ".lock", (0, 0))
    (tmp_path / "pawbrofl-home-link").symlink_to(tmp_path / "precious")
    before = sorted(tmp_path.iterdir())
    clean_up_after_the_dead()
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "precious").is_dir()
