"""What the machine has, and how many clients train on it at a time under Ray.

Flower starts one actor, a process that trains clients one after the other, for every
``client-resources-num-cpus`` processors; with ``client-resources-num-gpus`` above 0, no more than the
GPUs have room for. A client trains on one thread, so by default there is an actor for each processor,
unless memory is short or there are fewer clients.
"""

from __future__ import annotations

import contextlib
import math
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..tasks.devices import processors

ACTOR_BYTES = 1.2e9
"""Memory of an actor: PyTorch, Flower and MNIST, with room to spare."""

ACTORS_A_GPU = 10
ACTOR_NAME = "ray::ClientAppActor"
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
SECONDS_BETWEEN_LOOKS = 2.0


@dataclass(frozen=True)
class Machine:
    """What a simulation may use.

    Attributes
    ----------
    processors : int
        At least 1.
    memory : float
        Bytes that are free.
    gpus : int
    """

    processors: int
    memory: float
    gpus: int

    @classmethod
    def this(cls) -> Machine:
        """Return what this process may use."""
        import torch  # not at the top: settings are refused without PyTorch's seconds

        free = float(psutil.virtual_memory().available)
        limit = CGROUP_LIMIT.read_text().strip() if CGROUP_LIMIT.is_file() else "max"
        if limit != "max":
            free = min(free, float(limit))
        return cls(processors(), free, torch.cuda.device_count())


@dataclass(frozen=True)
class ClientResources:
    """What each client that trains has for itself, and how many train at a time.

    Attributes
    ----------
    num_cpus : int
    num_gpus : float
        A share of a GPU, or 0.
    num_actors : int
    """

    num_cpus: int
    num_gpus: float
    num_actors: int

    @classmethod
    def on(cls, machine: Machine, num_clients: int, device: str) -> ClientResources:
        """Return what suits a machine.

        Parameters
        ----------
        machine : Machine
        num_clients : int
            How many train in a round.
        device : str
            The setting: "auto", "cpu" or "cuda".
        """
        gpus = 0 if device == "cpu" else machine.gpus
        actors = min(machine.processors, num_clients, max(1, int(machine.memory / ACTOR_BYTES)))
        if gpus:
            actors = min(actors, ACTORS_A_GPU * gpus)
        num_cpus = machine.processors // actors
        # Ray counts shares of a GPU in ten thousandths.
        share = math.floor(1e4 / -(-actors // gpus)) / 1e4 if gpus else 0.0
        return cls(num_cpus, share, actors)

    def __str__(self) -> str:
        """Return what is chosen, in one line."""
        gpu = f" and {self.num_gpus:g} of a GPU" if self.num_gpus else ""
        return f"{self.num_actors} clients train at a time; for each: {self.num_cpus} processors{gpu}"


class ActorMemory:
    """Watches how much memory the actors of a simulation that this process started take."""

    def __init__(self) -> None:
        self._peaks: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ActorMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def __str__(self) -> str:
        """Return how many actors there were here, and the largest one's resident memory."""
        largest = max(self._peaks.values(), default=0) / 1e6
        return f"{len(self._peaks)} actors, of at most {largest:.0f} MB of memory each"

    def look(self) -> None:
        """Take note of what the actors hold now."""
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it may just have ended
                if ACTOR_NAME in " ".join(process.cmdline()):
                    size = process.memory_info().rss
                    self._peaks[process.pid] = max(size, self._peaks.get(process.pid, 0))

    def _watch(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_LOOKS):
            self.look()
