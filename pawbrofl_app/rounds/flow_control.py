"""Flow control: how many messages may be in flight, that is sent and not yet answered.

A real SuperNode has its own processor, so every message goes out at once. The clients of a Ray
simulation share the machine with Flower's simulation, which looks through all messages in flight once
for each node, ten times a second: there, few are in flight, but enough to keep every actor busy.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable

from flwr.serverapp import Grid
from flwr.superlink.grid import InMemoryGrid

LOWEST_LIMIT = 4
SECONDS_JUDGED_BY = 0.25


class Unlimited:
    """Lets every message go out at once."""

    limit = math.inf

    def replied(self, count: int) -> None:
        """Nothing depends on replies here."""


class AdaptiveLimit:
    """Lets as many messages be in flight as keep the actors of a simulation busy.

    The limit doubles whenever half as many replies came within a quarter of a second, in which the
    simulation looks for messages twice: then the actors may have run out of work. Clients that train for
    a second need few messages in flight, clients that answer at once need many.

    Parameters
    ----------
    num_actors : callable
        Returns how many clients may train at the same time. It is asked until that is not 0, which
        stands for not known yet.
    """

    def __init__(self, num_actors: Callable[[], int]) -> None:
        self.limit: float = max(LOWEST_LIMIT, 2 * (os.cpu_count() or 1))
        self._ask_for_actors = num_actors
        self._num_actors = 0
        self._came_at: list[float] = []

    def replied(self, count: int) -> None:
        """Raise the limit if replies come fast."""
        now = time.monotonic()
        recent = [at for at in self._came_at if now - at < SECONDS_JUDGED_BY]
        self._came_at = recent + [now] * count
        if 2 * len(self._came_at) >= self.limit:
            self.limit *= 2
        self._num_actors = self._num_actors or self._ask_for_actors()
        self.limit = max(self.limit, 2 * self._num_actors)


FlowControl = Unlimited | AdaptiveLimit
"""Has the ``limit`` of the moment, and is told how many replies came just now."""


def flow_control_of(grid: Grid) -> Callable[[], FlowControl]:
    """Return what makes the flow control that suits a grid."""
    if isinstance(grid, InMemoryGrid):
        return lambda: AdaptiveLimit(processors_of_ray)
    return Unlimited


def processors_of_ray() -> int:
    """Return how many processors Ray uses on all machines; 0 while it is still starting."""
    import ray

    if not ray.is_initialized():
        return 0
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return int(resources.get("CPU", 0))
