"""Partitions among unlike clients, by flwr-datasets' partitioners.

Each maps labels (n,), the number of clients and the seed to every client's indices into the labels.
flwr-datasets takes seconds to import in every actor, so it is imported when it is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .minorities import Indices, Labels


def dirichlet(labels: Labels, num_clients: int, seed: int, *, alpha: float) -> list[Indices]:
    """Skew the labels: how much of a class each client has is drawn from Dirichlet(alpha)."""
    from flwr_datasets.partitioner import DirichletPartitioner

    partitioner = DirichletPartitioner(
        num_partitions=num_clients,
        partition_by="label",
        alpha=alpha,
        min_partition_size=1,
        self_balancing=False,
        seed=seed,
    )
    return _shares(partitioner, labels, np.arange(len(labels)), num_clients)


def pathological(labels: Labels, num_clients: int, seed: int, classes: int = 2) -> list[Indices]:
    """Give each client samples of a few classes only, of each as many as the others that have it.

    Where there are as many clients as classes, no class is left over.
    """
    from flwr_datasets.partitioner import PathologicalPartitioner

    partitioner = PathologicalPartitioner(
        num_partitions=num_clients,
        partition_by="label",
        num_classes_per_partition=classes,
        class_assignment_mode="first-deterministic",
        seed=seed,
    )
    return _shares(partitioner, labels, _shuffled(labels, seed), num_clients)


def shards(labels: Labels, num_clients: int, seed: int, per_client: int = 2) -> list[Indices]:
    """Sort the samples by label, cut them into shards of one size, and deal so many to each client.

    McMahan, Moore, Ramage, Hampson, Aguera y Arcas, "Communication-efficient learning of deep networks
    from decentralized data" (AISTATS 2017). What does not fill the last shard belongs to nobody.
    """
    from flwr_datasets.partitioner import ShardPartitioner

    if num_clients * per_client > len(labels):
        raise ValueError(f"{num_clients * per_client} shards need as many samples")
    partitioner = ShardPartitioner(
        num_partitions=num_clients,
        partition_by="label",
        num_shards_per_partition=per_client,
        seed=seed,
    )
    return _shares(partitioner, labels, _shuffled(labels, seed), num_clients)


def linear(labels: Labels, num_clients: int, seed: int) -> list[Indices]:
    """Draw at random; sizes grow as the clients' numbers, from 1."""
    from flwr_datasets.partitioner import LinearPartitioner

    return _shares(LinearPartitioner(num_clients), labels, _shuffled(labels, seed), num_clients)


def square(labels: Labels, num_clients: int, seed: int) -> list[Indices]:
    """Draw at random; sizes grow as the squares of the clients' numbers."""
    from flwr_datasets.partitioner import SquarePartitioner

    return _shares(SquarePartitioner(num_clients), labels, _shuffled(labels, seed), num_clients)


def exponential(labels: Labels, num_clients: int, seed: int) -> list[Indices]:
    """Draw at random; sizes grow as the exponentials of the clients' numbers."""
    from flwr_datasets.partitioner import ExponentialPartitioner

    return _shares(ExponentialPartitioner(num_clients), labels, _shuffled(labels, seed), num_clients)


def _shuffled(labels: Labels, seed: int) -> Indices:
    return np.random.default_rng([seed, len(labels)]).permutation(len(labels))


def _shares(partitioner: Any, labels: Labels, order: Indices, num_clients: int) -> list[Indices]:
    from datasets import Dataset

    partitioner.dataset = Dataset.from_dict({"index": order, "label": labels[order]})
    return [
        np.asarray(partitioner.load_partition(client)["index"], dtype=np.intp)
        for client in range(num_clients)
    ]
