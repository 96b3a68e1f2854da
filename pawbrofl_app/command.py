"""``pawbrofl run``: a ``flwr run`` of this app with everything around it set up and cleaned away.

It checks the settings first, starts a SuperLink of its own on loopback that uses the installed
environment, asks for as many SuperNodes as the run has clients, streams the log, and stops the
SuperLink. ``flwr run .`` does the same with your own SuperLink connection and settings.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import tomli_w
from flwr.common.config import parse_config_args

from .run_config import InvalidSetting, RunConfig

APP_FOLDER = Path(__file__).resolve().parent.parent
CONNECTION = "pawbrofl"
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 2 for what the user can mend."""
    options = _parser().parse_args(arguments)
    try:
        config = read_settings(options.run_config, Path.cwd())
        check_before_start(config)
    except (InvalidSetting, OSError, RuntimeError, tomllib.TOMLDecodeError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    try:
        if options.engine == "in-process":
            from .in_process_engine import run_in_process

            run_in_process(config)
            return 0
        return simulate(config, options.client_resources_num_cpus, options.client_resources_num_gpus)
    except KeyboardInterrupt:
        print(f"stopped; what there is lies in {config.results_dir}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pawbrofl", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="run")
    run = commands.add_parser("run", help="simulate one federation")
    run.add_argument(
        "--run-config",
        "-c",
        action="append",
        default=[],
        metavar="SETTINGS",
        help="a TOML file, or settings such as 'mu=0.1 aggregator=\"filtering\"'; may be repeated, "
        "later ones win. All settings stand in pyproject.toml",
    )
    run.add_argument(
        "--engine",
        choices=("ray", "in-process"),
        default="ray",
        help="Flower's Ray simulation, or all clients one after the other in this process: the same "
        "numbers without Flower's services",
    )
    run.add_argument("--client-resources-num-cpus", type=int, default=1, metavar="N")
    run.add_argument(
        "--client-resources-num-gpus",
        type=float,
        default=0.0,
        metavar="X",
        help="share of a GPU for each client that trains; above 0 trains on CUDA",
    )
    return parser


def default_settings() -> dict[str, Any]:
    """Return the settings in ``[tool.flwr.app.config]`` of the app's pyproject.toml."""
    project = tomllib.loads((APP_FOLDER / "pyproject.toml").read_text())
    return dict(project["tool"]["flwr"]["app"]["config"])


def read_settings(run_config: Sequence[str], folder: Path) -> RunConfig:
    """Return the settings: pyproject.toml's defaults, and over them what the command line gives.

    Parameters
    ----------
    run_config : sequence of str
        TOML files or ``key=value`` pairs, in Flower's syntax.
    folder : Path
        What relative ``data-dir`` and ``results-dir`` are relative to; results go to a new folder
        under its ``results`` where nothing else is asked for.

    Raises
    ------
    InvalidSetting
        For an unknown setting or value, or settings that are no TOML.
    """
    settings = default_settings()
    for given in run_config:
        settings |= _parse_settings(given, folder)
    for name in ("data-dir", "results-dir"):
        if isinstance(settings.get(name), str) and settings[name]:
            settings[name] = str(folder / Path(settings[name]).expanduser())
    config = RunConfig.parse(settings)
    if config.results_dir:
        return config
    return replace(config, results_dir=str(folder / "results" / time.strftime("%Y%m%d-%H%M%S")))


def _parse_settings(given: str, folder: Path) -> dict[str, Any]:
    if given.endswith(".toml"):
        path = folder / given
        if not path.is_file():
            raise InvalidSetting(f"--run-config {given!r} is not a file")
        return tomllib.loads(path.read_text())
    try:
        return dict(parse_config_args([given]))
    except Exception as problem:
        raise InvalidSetting(
            f"--run-config {given!r} is neither a .toml file nor key=value pairs: {problem}"
        ) from problem


def check_before_start(config: RunConfig) -> None:
    """Raise what the run would raise before its first round, but without waiting for Flower to start."""
    if Path(config.results_dir).exists():
        raise InvalidSetting(
            f"results-dir must be a folder that does not exist yet, got {config.results_dir!r}: "
            "nothing was written over"
        )
    from .server_app import check_machine

    check_machine(config)


def simulate(config: RunConfig, num_cpus: int = 1, num_gpus: float = 0.0) -> int:
    """Simulate one run under Ray and return 0 if it finished.

    Parameters
    ----------
    config : RunConfig
    num_cpus, num_gpus : int, float
        What each client that trains has for itself; a fraction of a GPU may be shared.
    """
    resources = {
        "num-supernodes": config.num_clients,
        "client-resources-num-cpus": num_cpus,
        "client-resources-num-gpus": num_gpus,
    }
    with tempfile.TemporaryDirectory(prefix="pawbrofl-") as home:
        run_config = Path(home) / "run_config.toml"
        run_config.write_text(tomli_w.dumps(config.as_settings()))
        environment = flower_environment(Path(home))
        command = [
            installed_program("flwr"),
            "run",
            str(APP_FOLDER),
            CONNECTION,
            "--stream",
            "--run-config",
            str(run_config),
            "--federation-config",
            " ".join(f"{name}={value}" for name, value in resources.items()),
        ]
        with local_superlink(Path(home), environment):
            subprocess.run(command, env=environment, check=False)
    finished = (Path(config.results_dir) / "summary.json").is_file()
    if not finished:
        print("error: the run did not finish; the log above says why", file=sys.stderr)
    return 0 if finished else 1


def flower_environment(home: Path) -> dict[str, str]:
    """Return the environment for Flower's programs: state in ``home``, nothing installed at run time."""
    return os.environ | {
        "FLWR_HOME": str(home),
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        # Future versions of Ray show GPUs also to actors that asked for none; these stay on the CPU.
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
        "PYTHONWARNINGS": "ignore:Tip:FutureWarning",  # Ray's advice about the line above
        # Flower starts its own programs by name; the virtual environment may not be activated.
        "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}",
    }


@contextlib.contextmanager
def local_superlink(home: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a SuperLink for simulations on loopback, the default one of the ``FLWR_HOME`` ``home``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    connection = {"address": f"127.0.0.1:{port}", "insecure": True}
    (home / "config.toml").write_text(
        tomli_w.dumps({"superlink": {"default": CONNECTION, CONNECTION: connection}})
    )
    command = [installed_program("flower-superlink"), "--insecure", "--simulation"]
    command += ["--isolation", "subprocess", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "superlink.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_until_up(process, port, home / "superlink.log")
            yield
        finally:
            _stop(process)


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).is_success:
                return
        time.sleep(0.2)
    raise RuntimeError(f"flower-superlink did not start:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    # Its workers are in its session; those that outlive it would train on unseen.
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_STOP)
            return


def installed_program(name: str) -> str:
    """Return the path of a program that is installed beside this interpreter."""
    return str(Path(sysconfig.get_path("scripts")) / name)


if __name__ == "__main__":
    sys.exit(main())
