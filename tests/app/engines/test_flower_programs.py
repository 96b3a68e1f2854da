"""Stopping a program: what it started is gone too, by force where it does not listen."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from pawbrofl_app.engines.flower_programs import Program, flower_environment

DEAF_CHILD = """
import signal, subprocess, sys, time
if sys.argv[1:]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
else:
    subprocess.Popen([sys.executable, __file__, "child"], start_new_session=True)
time.sleep(600)
"""


def test_what_a_program_started_is_gone_when_it_is_stopped(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(DEAF_CHILD)
    log = tmp_path / "program.log"
    program = Program.start([sys.executable, str(script)], dict(os.environ), log)
    program.wait_until(lambda: "ready" in log.read_text())
    (child,) = psutil.Process(program.process.pid).children()
    program.stop()
    assert not program.runs
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("given", [None, "", "local"])
def test_ray_is_of_the_run_s_own_and_lets_nobody_else_in(
    given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if given is not None:
        monkeypatch.setenv("RAY_ADDRESS", given)
    environment, other = flower_environment(tmp_path), flower_environment(tmp_path)
    assert environment["RAY_ADDRESS"] == "local"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert len(environment["RAY_AUTH_TOKEN"]) == 64
    assert environment["RAY_AUTH_TOKEN"] != other["RAY_AUTH_TOKEN"]


def test_a_cluster_that_the_user_names_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    environment = flower_environment(tmp_path)
    assert environment["RAY_ADDRESS"] == "10.0.0.1:6379"
    assert "RAY_AUTH_MODE" not in environment
