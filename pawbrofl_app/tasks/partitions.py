"""Which training samples each client holds.

- ``iid``: every client as many, at random (the paper's setting).
- ``variable``: at random, with sizes drawn uniformly between almost none and twice the mean (what the
  authors' training script does).
- ``dirichlet``: label-skewed, by flwr-datasets' ``DirichletPartitioner``.

The first two are one line of index arithmetic each and leave flwr-datasets, which takes seconds to
import in every actor, alone.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from ..settings.run_config import InvalidSetting, RunConfig
from .datasets import load_dataset

Indices = NDArray[np.intp]


def client_indices(config: RunConfig) -> tuple[Indices, ...]:
    """Return the training samples of every client, as indices into the training part.

    Raises
    ------
    InvalidSetting
        Where there are more clients than samples, or labels are too skewed for so many clients.
    """
    available = len(load_dataset(config.data.dataset, config.data.data_dir).train.labels)
    num_samples = config.data.training_samples or available
    if num_samples > available:
        raise InvalidSetting(
            f"training-samples must be at most {available}, all that {config.data.dataset!r} has, "
            f"got {num_samples}"
        )
    if config.federation.num_clients > num_samples:
        raise InvalidSetting(
            f"num-clients must be at most {num_samples}, the number of training samples of "
            f"{config.data.dataset!r} that are used, got {config.federation.num_clients}"
        )
    return _partition(
        config.data.dataset,
        config.data.data_dir,
        num_samples,
        config.data.partition,
        config.data.dirichlet_alpha,
        config.federation.num_clients,
        config.seed,
    )


@functools.lru_cache(maxsize=1)
def _partition(
    dataset: str,
    data_dir: str,
    num_samples: int,
    partition: str,
    alpha: float,
    num_clients: int,
    seed: int,
) -> tuple[Indices, ...]:
    labels = load_dataset(dataset, data_dir).train.labels.numpy()
    used = _drawn(len(labels), num_samples, seed)
    if partition == "dirichlet":
        return tuple(used[own] for own in _dirichlet(labels[used], num_clients, alpha, seed))
    random = np.random.default_rng([seed, num_clients])
    shuffled = used[random.permutation(num_samples)]
    if partition == "iid":
        return tuple(np.array_split(shuffled, num_clients))
    shares = random.uniform(size=num_clients)
    spare = num_samples - num_clients  # one sample each beforehand, so that no client is empty
    ends = np.round(np.cumsum(shares) / shares.sum() * spare).astype(int) + np.arange(1, num_clients + 1)
    return tuple(np.split(shuffled, ends[:-1]))


def _drawn(available: int, num_samples: int, seed: int) -> Indices:
    if num_samples == available:
        return np.arange(available)
    return np.sort(np.random.default_rng([seed, num_samples]).permutation(available)[:num_samples])


def _dirichlet(
    labels: NDArray[np.int64], num_clients: int, alpha: float, seed: int
) -> tuple[Indices, ...]:
    from datasets import Dataset
    from flwr_datasets.partitioner import DirichletPartitioner

    partitioner = DirichletPartitioner(
        num_partitions=num_clients,
        partition_by="label",
        alpha=alpha,
        min_partition_size=1,
        self_balancing=False,
        seed=seed,
    )
    partitioner.dataset = Dataset.from_dict({"index": np.arange(len(labels)), "label": labels})
    try:
        return tuple(
            np.asarray(partitioner.load_partition(client)["index"], dtype=np.intp)
            for client in range(num_clients)
        )
    except ValueError as problem:
        raise InvalidSetting(
            f"dirichlet-alpha {alpha} with num-clients {num_clients} leaves a client without "
            f"samples: {problem}"
        ) from problem
