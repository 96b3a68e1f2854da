"""Which clients of a round the in-process engine trains in lock-step.

Clients that train honestly go into cohorts of ``cohort-size``, by their number of samples, as those
in lock-step wait for the one with the most. Who is in which cohort depends on who trains in the round
and on nothing else. Malicious clients that change their batches train alone, but with a network that
writes its steps out, where that would cost more than the rest; and so does everybody where lock-step
fails. Personal models are trained one by one, each by its own client.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from logging import WARNING

import torch
from flwr.common.logger import log

from clients.cohort import train_cohort
from clients.honest import HonestClient
from clients.local_evaluation import BatchTransform
from clients.lock_step import can_train_in_lock_step
from clients.training_cache import NDArrays, TrainingCache
from clients.training_steps import StepsItself

from ..roles import attack_of
from ..settings.node_config import Site
from ..settings.run_config import RunConfig
from ..tasks.devices import compute_reproducibly, training_device
from ..tasks.partitions import client_indices

DEFAULT_SIZE = {"cuda": 128}
"""Elsewhere 1: a CPU trains clients faster one after the other."""


class CohortTraining:
    """Trains clients of one run in lock-step before they are asked.

    Parameters
    ----------
    config : RunConfig
    honest_client : callable
        Returns a client, by its partition id, as it is without any attack.
    cache : TrainingCache
        That of the client app: where its clients find what was trained ahead.
    """

    def __init__(
        self, config: RunConfig, honest_client: Callable[[int], HonestClient], cache: TrainingCache
    ) -> None:
        self._config = config
        self._honest_client = honest_client
        self._cache = cache

    @cached_property
    def size(self) -> int:
        """How many clients train in lock-step; 1 where lock-step does not go."""
        settings = self._config.training
        size = cohort_size(settings.cohort_size, training_device(settings.device))
        if size == 1:
            return 1
        client = self._honest_client(0)
        if can_train_in_lock_step(client.make_model(), client.training):
            return size
        log(
            WARNING,
            "clients train one by one: %s and %s do not go in lock-step",
            settings.network,
            settings.gap_measure,
        )
        return 1

    def cohorts(self, clients: Collection[int], server_round: int) -> list[list[int]]:
        """Return the clients of a round, by their partition ids, in cohorts."""
        if self.size == 1:
            return [[client] for client in sorted(clients)]
        samples = client_indices(self._config.partitioned_data)
        together = [
            client
            for client in clients
            if self._poisoned_too or self._transform(client, server_round) is None
        ]
        together.sort(key=lambda client: (-len(samples[client]), client))
        alone = sorted(set(clients) - set(together))
        starts = range(0, len(together), self.size)
        return [together[start : start + self.size] for start in starts] + [[client] for client in alone]

    @contextlib.contextmanager
    def trained_ahead(
        self, cohort: Sequence[int], parameters: NDArrays, server_round: int
    ) -> Iterator[None]:
        """Train a cohort in lock-step; within the block its clients find that done."""
        compute_reproducibly()
        clients = [self._honest_client(client) for client in cohort]
        found = {client: self._transform(client, server_round) for client in cohort}
        transforms = {client: transform for client, transform in found.items() if transform}
        try:
            trained = train_cohort(clients, parameters, server_round, transforms)
        except (RuntimeError, ValueError) as problem:
            log(WARNING, "%s clients train one by one, as lock-step failed: %s", len(cohort), problem)
            trained = {}
        with self._cache.trained_ahead(trained, transforms):
            yield

    @cached_property
    def _poisoned_too(self) -> bool:
        return isinstance(self._honest_client(0).make_model(), StepsItself)

    def _transform(self, client: int, server_round: int) -> BatchTransform | None:
        """Return what a malicious client changes its batches by."""
        attack = attack_of(self._config, Site(client))
        active = None if attack is None else attack.in_round(server_round)
        return active.poison_batch if active is not None and active.poisons_data else None


def cohort_size(setting: int, device: torch.device) -> int:
    """Return how many clients train in lock-step on a device; for 0, what suits it."""
    return setting or DEFAULT_SIZE.get(device.type, 1)
