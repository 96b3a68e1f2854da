"""Flower's own programs, run as children that never outlive this process's use of them."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import tomli_w
from flwr.cli.constant import (
    ACCESS_TOKEN_STORE_KEY,
    AUTHN_TYPE_STORE_KEY,
    REFRESH_TOKEN_STORE_KEY,
)
from flwr.common.constant import AuthnType
from flwr.supercore.credential_store.file_credential_store import FileCredentialStore

from ..settings.command_line import APP_FOLDER
from . import guarded_superlink

LOOPBACK = "127.0.0.1"
CONNECTION = "pawbrofl"
LONGEST_RAY_FOLDER = 39
"""Ray has sockets in folders below, whose paths may have 107 characters."""
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 10.0


@dataclass
class Program:
    """A program that runs in a session of its own, with all that it starts itself.

    Attributes
    ----------
    process : Popen
    log : Path
        Where its output goes.
    """

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, command: Sequence[str], environment: dict[str, str], log: Path) -> Program:
        """Start a program whose output is appended to a file."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        return cls(process, log)

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def wait_until(self, is_up: Callable[[], bool]) -> None:
        """Wait until something holds of the program.

        Raises
        ------
        RuntimeError
            Where the program ends before, or the time is up. The message holds its log.
        """
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self.runs:
            if is_up():
                return
            time.sleep(0.2)
        raise RuntimeError(f"{self.log.stem} did not start:\n{self.log.read_text(errors='replace')}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and to all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """End the program and all that it started: on request at first, then by force."""
        started = self._descendants()
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(SECONDS_TO_STOP)
        started |= self._descendants()
        self.signal(signal.SIGKILL)
        self.process.wait()
        # A ServerApp is in a session of its own, and would train on unseen.
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # One that is killed may write until it is scheduled again, into a folder that is being removed.
        deadline = time.monotonic() + SECONDS_TO_STOP
        while any(map(_runs, started)) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _descendants(self) -> set[psutil.Process]:
        try:
            return set(psutil.Process(self.process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return set()


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def ray_cluster() -> str:
    """Return the address of the user's own Ray cluster, if ``RAY_ADDRESS`` names one."""
    address = os.environ.get("RAY_ADDRESS", "")
    return "" if address == "local" else address


def flower_environment(home: Path) -> dict[str, str]:
    """Return the environment for Flower's programs: state in ``home``, nothing installed at run time.

    SuperLink and Ray each let in who has a token that only this user's processes can see. Unless the
    user has a Ray cluster, Ray starts anew, whatever else runs on the machine, and listens on loopback.
    """
    own_ray = {
        "RAY_ADDRESS": "local",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on any system: no cluster, so loopback
    }
    if len(str(home)) <= LONGEST_RAY_FOLDER:
        own_ray["RAY_TMPDIR"] = str(home)
    return (
        os.environ
        | ({} if ray_cluster() else own_ray)
        | {
            "FLWR_HOME": str(home),
            guarded_superlink.TOKEN: secrets.token_hex(32),
            "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
            # Future versions of Ray show GPUs also to actors that asked for none; these stay on the CPU.
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
            "PYTHONWARNINGS": "ignore:Tip:FutureWarning",  # Ray's advice about the line above
            # Flower starts its own programs by name; the virtual environment may not be activated.
            "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}",
        }
    )


def installed_program(name: str) -> str:
    """Return the path of a program that is installed beside this interpreter."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def free_port() -> int:
    """Return a port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def is_healthy(url: str, verify: ssl.SSLContext | bool = True) -> bool:
    """Return whether a Flower service answers at its address."""
    try:
        return httpx.get(f"{url}/health", timeout=1, verify=verify).is_success
    except httpx.HTTPError:
        return False


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn the first signal to stop into an exception, so that context managers clean up, undisturbed.

    SIGINT into KeyboardInterrupt, SIGTERM and SIGHUP into SystemExit; those that follow are ignored.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, _: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def superlink_command(address: str, *options: str) -> list[str]:
    """Return the command that starts a SuperLink which takes commands only with the run's token."""
    host, port = address.split(":")
    # Nothing of the folder that the program is in is imported.
    program = [sys.executable, "-P", guarded_superlink.__file__]
    return [*program, *options, "--host", host, "--port", port]


def write_connection(home: Path, address: str, token: str, **options: str | bool) -> None:
    """Make a SuperLink the default one of the ``FLWR_HOME`` ``home``, under the name `CONNECTION`."""
    connection = {"address": address} | options
    content = {"superlink": {"default": CONNECTION, CONNECTION: connection}}
    (home / "config.toml").write_text(tomli_w.dumps(content))
    credentials = FileCredentialStore(home / "credentials.yaml")
    credentials.set(AUTHN_TYPE_STORE_KEY % address, AuthnType.OIDC.encode())
    for key in (ACCESS_TOKEN_STORE_KEY, REFRESH_TOKEN_STORE_KEY):
        credentials.set(key % address, token.encode())


def run_command(home: Path, settings: Mapping[str, str | int | float | bool]) -> list[str]:
    """Return the command that submits the app to the `CONNECTION`, and streams its log.

    The run's settings are written into the ``FLWR_HOME`` ``home``.
    """
    run_config = home / "run_config.toml"
    run_config.write_text(tomli_w.dumps(settings))
    command = [installed_program("flwr"), "run", str(APP_FOLDER), CONNECTION, "--stream"]
    return [*command, "--run-config", str(run_config)]


@contextlib.contextmanager
def local_superlink(home: Path, environment: dict[str, str]) -> Iterator[Program]:
    """Run a SuperLink for simulations on loopback, the default one of the ``FLWR_HOME`` ``home``."""
    address = f"{LOOPBACK}:{free_port()}"
    write_connection(home, address, environment[guarded_superlink.TOKEN], insecure=True)
    command = superlink_command(address, "--insecure", "--simulation", "--isolation", "subprocess")
    superlink = Program.start(command, environment, home / "superlink.log")
    try:
        superlink.wait_until(lambda: is_healthy(f"http://{address}"))
        yield superlink
    finally:
        superlink.stop()
