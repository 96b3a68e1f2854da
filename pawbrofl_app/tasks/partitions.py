"""Which training samples each client holds.

The first two partitions are a few lines of index arithmetic and leave flwr-datasets, which takes
seconds to import in every actor, alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .datasets import load_dataset

Indices = NDArray[np.intp]
Labels = NDArray[np.int64]


class ImpossiblePartition(ValueError):
    """The samples cannot be shared among the clients as asked. The message says why."""


@dataclass(frozen=True)
class PartitionedData:
    """A data set, and how clients share its training samples.

    ``partition`` is one of `PARTITIONS`; of the training samples, 0 are all.
    """

    dataset: str
    data_dir: str
    training_samples: int
    partition: str
    dirichlet_alpha: float
    num_clients: int
    seed: int


@functools.lru_cache(maxsize=1)
def client_indices(data: PartitionedData) -> tuple[Indices, ...]:
    """Return the training samples of every client, as indices into the training part.

    Raises
    ------
    ImpossiblePartition
        Where there are more clients than samples, or labels are too skewed for so many clients.
    DataUnavailable
        As `datasets.load_dataset`.
    """
    labels = load_dataset(data.dataset, data.data_dir).train.labels.numpy()
    num_samples = data.training_samples or len(labels)
    if num_samples > len(labels):
        raise ImpossiblePartition(
            f"training-samples must be at most {len(labels)}, all that {data.dataset!r} has, "
            f"got {num_samples}"
        )
    if data.num_clients > num_samples:
        raise ImpossiblePartition(
            f"num-clients must be at most {num_samples}, the number of training samples of "
            f"{data.dataset!r} that are used, got {data.num_clients}"
        )
    used = _drawn(len(labels), num_samples, data.seed)
    return tuple(used[own] for own in PARTITIONS[data.partition](labels[used], data))


def _drawn(available: int, num_samples: int, seed: int) -> Indices:
    if num_samples == available:
        return np.arange(available)
    return np.sort(np.random.default_rng([seed, num_samples]).permutation(available)[:num_samples])


def equal(labels: Labels, data: PartitionedData) -> list[Indices]:
    """Give every client as many, at random (the paper's setting)."""
    random = np.random.default_rng([data.seed, data.num_clients])
    return np.array_split(random.permutation(len(labels)), data.num_clients)


def variable(labels: Labels, data: PartitionedData) -> list[Indices]:
    """Draw at random, with sizes uniform between almost none and twice the mean.

    What the authors' training script does.
    """
    random = np.random.default_rng([data.seed, data.num_clients])
    shuffled = random.permutation(len(labels))
    shares = random.uniform(size=data.num_clients)
    spare = len(labels) - data.num_clients  # one sample each beforehand, so that no client is empty
    ends = np.round(np.cumsum(shares) / shares.sum() * spare).astype(int)
    return np.split(shuffled, (ends + np.arange(1, data.num_clients + 1))[:-1])


def dirichlet(labels: Labels, data: PartitionedData) -> list[Indices]:
    """Skew the labels, by flwr-datasets' ``DirichletPartitioner``."""
    from datasets import Dataset
    from flwr_datasets.partitioner import DirichletPartitioner

    partitioner = DirichletPartitioner(
        num_partitions=data.num_clients,
        partition_by="label",
        alpha=data.dirichlet_alpha,
        min_partition_size=1,
        self_balancing=False,
        seed=data.seed,
    )
    partitioner.dataset = Dataset.from_dict({"index": np.arange(len(labels)), "label": labels})
    try:
        return [
            np.asarray(partitioner.load_partition(client)["index"], dtype=np.intp)
            for client in range(data.num_clients)
        ]
    except ValueError as problem:
        raise ImpossiblePartition(
            f"dirichlet-alpha {data.dirichlet_alpha} with num-clients {data.num_clients} leaves a "
            f"client without samples: {problem}"
        ) from problem


PARTITIONS: dict[str, Callable[[Labels, PartitionedData], list[Indices]]] = {
    "iid": equal,
    "variable": variable,
    "dirichlet": dirichlet,
}
"""What splits samples, given their labels, into every client's: indices into those labels."""
