"""Which clients of a round the in-process engine trains in lock-step.

Clients that train honestly go into cohorts of ``cohort-size``, by their number of samples, as those
in lock-step wait for the one with the most. Who is in which cohort depends on who trains in the round
and on nothing else. Malicious clients that change their batches train alone, and so does everybody where
lock-step fails.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from logging import WARNING

import torch
from flwr.common.logger import log

from clients.cohort import train_cohort
from clients.honest import TRAINED_AHEAD, NDArrays
from clients.lock_step import can_train_in_lock_step

from ..client_app import honest_client, local_training
from ..roles import attack_of
from ..settings.node_config import Site
from ..settings.run_config import RunConfig
from ..tasks.devices import compute_reproducibly, training_device
from ..tasks.networks import NETWORKS
from ..tasks.partitions import client_indices

DEFAULT_SIZE = {"cuda": 128}
"""Elsewhere 1: a CPU trains clients faster one after the other."""


class CohortTraining:
    """Trains clients of one run in lock-step before they are asked.

    Parameters
    ----------
    config : RunConfig
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self.size = cohort_size(config.training.cohort_size, training_device(config.training.device))
        training = local_training(config.training)
        if self.size > 1 and not can_train_in_lock_step(NETWORKS[config.training.network](), training):
            log(
                WARNING,
                "clients train one by one: %s and %s do not go in lock-step",
                config.training.network,
                config.training.gap_measure,
            )
            self.size = 1

    def cohorts(self, clients: Collection[int], server_round: int) -> list[list[int]]:
        """Return the clients of a round, by their numbers, in cohorts."""
        if self.size == 1:
            return [[client] for client in sorted(clients)]
        samples = client_indices(self._config)
        together = [client for client in clients if self._trains_honestly(client, server_round)]
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
        clients = [honest_client(self._config, client) for client in cohort]
        try:
            trained = train_cohort(clients, parameters, server_round)
        except (RuntimeError, ValueError) as problem:
            log(WARNING, "%s clients train one by one, as lock-step failed: %s", len(cohort), problem)
            trained = {}
        token = TRAINED_AHEAD.set(trained)
        try:
            yield
        finally:
            TRAINED_AHEAD.reset(token)

    def _trains_honestly(self, client: int, server_round: int) -> bool:
        attack = attack_of(self._config, Site(client))
        active = None if attack is None else attack.in_round(server_round)
        return active is None or not active.poisons_data


def cohort_size(setting: int, device: torch.device) -> int:
    """Return how many clients train in lock-step on a device; for 0, what suits it."""
    return setting or DEFAULT_SIZE.get(device.type, 1)
