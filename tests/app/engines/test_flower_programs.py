"""Stopping a program: what it started is gone too, by force where it does not listen."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil

from pawbrofl_app.engines.flower_programs import Program

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
