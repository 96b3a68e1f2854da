"""One run under Flower's Ray engine, with a SuperLink of its own on loopback."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from ..records.run_folder import RunFolder
from ..settings.run_config import InvalidSetting, RunConfig
from .flower_programs import (
    Program,
    flower_environment,
    local_superlink,
    ray_cluster,
    run_command,
    stopped_by_signals,
)
from .machine import ActorMemory, ClientResources, Machine
from .watchdog import watched_home

SECONDS_BETWEEN_LOOKS = 1.0


def federation_settings(
    config: RunConfig, num_cpus: int | None, num_gpus: float | None, *, on_cluster: bool
) -> dict[str, int | float]:
    """Return Flower's settings of a simulation, chosen from the machine where they are not given.

    On a Ray cluster that runs already, the machine is not ours to divide: a processor for each client.
    """
    if on_cluster:
        chosen, limit = ClientResources(1, 0.0, 0), {}
    else:
        machine = Machine.this()
        chosen = ClientResources.on(machine, config.federation.num_fit_clients, config.training.device)
        limit = {"init-args-num-cpus": machine.processors}
        if num_cpus is not None and num_cpus > machine.processors:
            raise InvalidSetting(
                f"--client-resources-num-cpus must be at most {machine.processors}, the processors that "
                f"this process may use, got {num_cpus}"
            )
        if num_cpus is None and num_gpus is None:
            print(chosen)
    return {
        "num-supernodes": config.federation.num_clients,
        "client-resources-num-cpus": chosen.num_cpus if num_cpus is None else num_cpus,
        "client-resources-num-gpus": chosen.num_gpus if num_gpus is None else num_gpus,
    } | limit


def simulate(config: RunConfig, num_cpus: int | None = None, num_gpus: float | None = None) -> int:
    """Simulate one run under Ray and return 0 if it finished.

    Parameters
    ----------
    config : RunConfig
    num_cpus, num_gpus : int, float, optional
        What each client that trains has for itself; a fraction of a GPU may be shared. By default what
        suits the machine, and on a Ray cluster (``RAY_ADDRESS``) a processor.
    """
    on_cluster = bool(ray_cluster())
    resources = federation_settings(config, num_cpus, num_gpus, on_cluster=on_cluster)
    with stopped_by_signals(), watched_home() as home:
        environment = flower_environment(home)
        command = run_command(home, config.as_settings())
        given = " ".join(f"{name}={value}" for name, value in resources.items())
        command += ["--federation-config", given]
        with local_superlink(home, environment) as superlink, ActorMemory() as memory:
            _follow(subprocess.Popen(command, env=environment), superlink)
    if not on_cluster:
        print(memory)
    finished = RunFolder(config.results.results_dir).is_finished
    if not finished:
        print("error: the run did not finish; the log above says why", file=sys.stderr)
    return 0 if finished else 1


def _follow(streaming: subprocess.Popen[bytes], superlink: Program) -> None:
    """Wait until the log ends, or the SuperLink, without which the log would be waited for in vain."""
    try:
        while streaming.poll() is None and superlink.runs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                streaming.wait(SECONDS_BETWEEN_LOOKS)
    finally:
        streaming.kill()
        streaming.wait()
