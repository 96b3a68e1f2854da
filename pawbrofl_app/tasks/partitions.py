"""Which training samples each client holds.

The first two partitions, and natural clients, are a few lines of index arithmetic and leave
flwr-datasets, which takes seconds to import in every actor, alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.named_object import split_name, with_parameters

from .datasets import load_task
from .minorities import MINORITIES, NO_MINORITY, Indices, Labels, Minority
from .skewed_partitions import dirichlet, exponential, linear, pathological, shards, square
from .task import Samples, Task

NATURAL = "natural"
"""The partition by the clients that the data name."""


class ImpossiblePartition(ValueError):
    """The samples cannot be shared among the clients as asked. The message says why."""


@dataclass(frozen=True)
class PartitionedData:
    """A data set, and how clients share its training samples.

    ``partition`` is one of `PARTITIONS`, with parameters where wanted, or `NATURAL`; of the training
    samples, 0 are all; ``minority`` is one of `minorities.MINORITIES` or "none", and ``members`` are its
    clients; ``root_samples`` are the server's own and no client's.
    """

    dataset: str
    data_dir: str
    training_samples: int
    partition: str
    dirichlet_alpha: float
    num_clients: int
    seed: int
    minority: str = NO_MINORITY
    members: tuple[int, ...] = ()
    root_samples: int = 0


def client_samples(data: PartitionedData, client: int) -> Samples:
    """Return a client's training samples as it has them.

    Raises
    ------
    ImpossiblePartition, DataUnavailable
        As `client_indices`.
    """
    train = load_task(data.dataset, data.data_dir).train
    samples = train.select(client_indices(data)[client])
    return MINORITIES[data.minority].seen(samples) if client in data.members else samples


def samples_beside(data: PartitionedData, clients: Collection[int]) -> Samples:
    """Return these clients' training samples, as the data set has them, and those that nobody uses.

    Raises
    ------
    ImpossiblePartition, DataUnavailable
        As `client_indices`.
    """
    train = load_task(data.dataset, data.data_dir).train
    labels = train.labels.numpy()
    free = np.ones(len(labels), bool)
    free[_used(labels, data)] = False
    for client in clients:
        free[client_indices(data)[client]] = True
    return train.select(np.flatnonzero(free))


@functools.lru_cache(maxsize=1)
def client_indices(data: PartitionedData) -> tuple[Indices, ...]:
    """Return the training samples of every client, as indices into the training part.

    Raises
    ------
    ImpossiblePartition
        Where there are more clients than samples, or labels are too skewed for so many clients.
    DataUnavailable
        As `datasets.load_task`.
    """
    task = load_task(data.dataset, data.data_dir)
    labels = task.train.labels.numpy()
    used = _used(labels, data)
    if data.root_samples:
        used = np.setdiff1d(used, _root_indices(labels, used, data))
    return tuple(used[own] for own in _shares(labels[used], used, data, task))


def root_samples(data: PartitionedData) -> list[Samples]:
    """Return the samples of the server's own, as the majority sees them and as a minority does.

    They are drawn before clients share the rest, so that classes have their shares. As many of them in a
    hundred are of a minority's kind as clients are.

    Raises
    ------
    ImpossiblePartition, DataUnavailable
        As `client_indices`.
    """
    train = load_task(data.dataset, data.data_dir).train
    labels = train.labels.numpy()
    used = _used(labels, data)
    root = np.random.default_rng([data.seed, data.root_samples]).permutation(
        _root_indices(labels, used, data)
    )
    of_minority = round(len(root) * len(data.members) / data.num_clients)
    kinds = [(Minority(), root[of_minority:])]
    if of_minority:
        kinds.append((MINORITIES[data.minority], root[:of_minority]))
    return [kind.seen(train.select(own)) for kind, own in kinds]


def _used(labels: Labels, data: PartitionedData) -> Indices:
    """Return which of the training samples a run uses at all."""
    num_samples = data.training_samples or len(labels)
    if num_samples > len(labels):
        raise ImpossiblePartition(
            f"training-samples must be at most {len(labels)}, all that {data.dataset!r} has, "
            f"got {num_samples}"
        )
    return _drawn(len(labels), num_samples, data.seed)


def _root_indices(labels: Labels, used: Indices, data: PartitionedData) -> Indices:
    """Return the server's samples: evenly over the used ones in the order of their classes."""
    if data.root_samples > len(used) // 2:
        raise ImpossiblePartition(
            f"root-data must be at most {len(used) // 2}, half of the training samples of "
            f"{data.dataset!r} that are used, got {data.root_samples}"
        )
    shuffled = np.random.default_rng([data.seed, data.root_samples]).permutation(used)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return by_class[(np.arange(data.root_samples) * len(used)) // data.root_samples]


def _shares(labels: Labels, used: Indices, data: PartitionedData, task: Task) -> list[Indices]:
    minority = MINORITIES.get(data.minority, Minority())
    if minority.needs_images and not task.train.are_images:
        raise ImpossiblePartition(
            f"minority {data.minority!r} needs images, but inputs of {data.dataset!r} have shape "
            f"{task.input_shape}"
        )
    if data.partition == NATURAL:
        if type(minority).share is not Minority.share:
            raise ImpossiblePartition(
                f"minority {data.minority!r} shares the samples anew, which partition 'natural' does "
                "not allow"
            )
        return natural(task.train.clients, used, data)
    if data.minority == NO_MINORITY:
        return _split(labels, data)

    def split(some_labels: Labels, num_clients: int) -> list[Indices]:
        try:
            return _split(some_labels, replace(data, num_clients=num_clients))
        except ImpossiblePartition as problem:
            raise ImpossiblePartition(
                f"minority {data.minority!r} of {len(data.members)} among {data.num_clients} clients "
                f"leaves some of them without samples: {problem}"
            ) from problem

    return minority.share(labels, data.num_clients, data.members, split, task.num_classes)


def _split(labels: Labels, data: PartitionedData) -> list[Indices]:
    if data.num_clients > len(labels):
        raise ImpossiblePartition(
            f"num-clients must be at most {len(labels)}, the number of training samples of "
            f"{data.dataset!r} that are used, got {data.num_clients}"
        )
    name, given = split_name(data.partition)
    parameters: dict[str, Any] = with_parameters(PARTITIONS[name], given)
    if name == "dirichlet":
        parameters["alpha"] = data.dirichlet_alpha
    try:
        return PARTITIONS[name](labels, data.num_clients, data.seed, **parameters)
    except ValueError as problem:
        how = f" with dirichlet-alpha {data.dirichlet_alpha:g}" if name == "dirichlet" else ""
        raise ImpossiblePartition(
            f"partition {data.partition!r}{how} cannot share {len(labels)} samples among num-clients "
            f"{data.num_clients}: {problem}"
        ) from problem


def _drawn(available: int, num_samples: int, seed: int) -> Indices:
    if num_samples == available:
        return np.arange(available)
    return np.sort(np.random.default_rng([seed, num_samples]).permutation(available)[:num_samples])


def equal(labels: Labels, num_clients: int, seed: int) -> list[Indices]:
    """Give every client as many, at random (the paper's setting)."""
    random = np.random.default_rng([seed, num_clients])
    return np.array_split(random.permutation(len(labels)), num_clients)


def variable(labels: Labels, num_clients: int, seed: int) -> list[Indices]:
    """Draw at random, with sizes uniform between almost none and twice the mean.

    What the authors' training script does.
    """
    random = np.random.default_rng([seed, num_clients])
    shuffled = random.permutation(len(labels))
    shares = random.uniform(size=num_clients)
    spare = len(labels) - num_clients  # one sample each beforehand, so that no client is empty
    ends = np.round(np.cumsum(shares) / shares.sum() * spare).astype(int)
    return np.split(shuffled, (ends + np.arange(1, num_clients + 1))[:-1])


def natural(clients: NDArray[np.int64] | None, used: Indices, data: PartitionedData) -> list[Indices]:
    """Give every client what is its own by nature; where there are more of them, draw ``num_clients``.

    flwr-datasets' ``NaturalIdPartitioner`` passes over all samples for each client.
    """
    if clients is None:
        raise ImpossiblePartition(
            f"partition 'natural' needs data that name clients, got {data.dataset!r}"
        )
    known, owners = np.unique(clients[used], return_inverse=True)
    if data.num_clients > len(known):
        raise ImpossiblePartition(
            f"num-clients must be at most {len(known)}, the natural clients in the training samples of "
            f"{data.dataset!r}, got {data.num_clients}"
        )
    drawn = _drawn(len(known), data.num_clients, data.seed)
    by_client = np.split(np.argsort(owners, kind="stable"), np.cumsum(np.bincount(owners))[:-1])
    return [by_client[client] for client in drawn]


PARTITIONS: dict[str, Callable[..., list[Indices]]] = {
    "iid": equal,
    "variable": variable,
    "dirichlet": dirichlet,
    "pathological": pathological,
    "shards": shards,
    "linear": linear,
    "square": square,
    "exponential": exponential,
}
"""What splits samples, given their labels, the number of clients and the seed, into every client's:
indices into those labels. What else it takes, with a default, may be given in brackets."""
