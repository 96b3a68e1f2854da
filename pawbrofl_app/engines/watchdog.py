"""Ends all that a command started when the command is done or dies, however it dies.

``python -m pawbrofl_app.engines.watchdog HOME`` waits for the end of its standard input, the pipe that
the operating system closes with the command. Then it ends every process that has the folder as its
``FLWR_HOME``, which Flower's programs and Ray's hand on to all that they start, and removes the folder.
It has a session of its own and ignores signals, so a second Ctrl-C does not keep it from that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

PREFIX = "pawbrofl-home-"
LOCK = ".lock"
SECONDS_TO_END = 1.0
"""How long processes have after they were asked to end, before they are killed."""
SECONDS_TO_CLEAN_UP = 10.0
SECONDS_TO_BEGIN = 60.0
"""A folder younger than that may be one whose watchdog is about to start."""


def processes_of(home: Path) -> list[psutil.Process]:
    """Return this user's processes whose ``FLWR_HOME`` is a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            is_of_home = process.environ().get("FLWR_HOME") == str(home)
            if is_of_home and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def clean_up(home: Path) -> None:
    """End all processes of a folder, on request at first and then by force, and remove the folder."""
    started = time.monotonic()
    asked: set[psutil.Process] = set()
    while (left := processes_of(home)) and time.monotonic() - started < SECONDS_TO_CLEAN_UP:
        by_force = time.monotonic() - started > SECONDS_TO_END
        for process in left:
            with contextlib.suppress(psutil.Error):
                if by_force:
                    process.kill()
                elif process not in asked:
                    process.terminate()
        asked.update(left)
        time.sleep(0.1)
    shutil.rmtree(home, ignore_errors=True)


def clean_up_after_the_dead() -> None:
    """Clean up in folders whose watchdogs are gone, as where both it and the command were killed."""
    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = home / LOCK
        with contextlib.suppress(OSError, Timeout):
            is_ours = not home.is_symlink() and home.stat().st_uid == os.getuid()
            if is_ours and time.time() - lock.stat().st_mtime > SECONDS_TO_BEGIN:
                with FileLock(lock, timeout=0):
                    clean_up(home)


@contextlib.contextmanager
def watched_home() -> Iterator[Path]:
    """Make a temporary folder for Flower's programs; at the end, or this process's, it is cleaned up."""
    clean_up_after_the_dead()
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    command = [sys.executable, "-m", __spec__.name, str(home)]
    root = Path(__file__).resolve().parents[2]
    watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd=root)
    try:
        yield home
    finally:
        if watchdog.stdin:
            watchdog.stdin.close()
        if watchdog.wait():  # somebody killed it
            clean_up(home)


def main(home: Path) -> None:
    """Watch over a folder until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with FileLock(home / LOCK):
        sys.stdin.buffer.read()
        clean_up(home)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
