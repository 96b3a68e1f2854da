"""Synthetic(alpha, beta): logistic regression of clients that differ in model and data, generated.

Li, Sahu, Zaheer, Sanjabi, Talwalkar, Smith, "Federated optimization in heterogeneous networks" (MLSys
2020), as used in "Fair resource allocation in federated learning" (ICLR 2020): client k labels
``x ~ N(v_k, diag(j^-1.2))`` by ``argmax(W_k x + b_k)``, with ``W_k, b_k ~ N(u_k, 1)``,
``u_k ~ N(0, alpha)``, ``v_k ~ N(B_k, 1)`` and ``B_k ~ N(0, beta)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .task import DataUnavailable, Samples, Task

NUM_FEATURES, NUM_CLASSES = 60, 10
LARGEST = 100_000
"""Samples of one client, at most: the sizes' distribution has a long tail."""


def client_data(
    random: np.random.Generator, sizes: NDArray[np.intp], alpha: float, beta: float
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.intp]]]:
    """Draw one client's features (n, 60) and labels (n,) after the other's.

    Parameters
    ----------
    random : numpy.random.Generator
    sizes : ndarray of shape (clients,)
        How many samples each has.
    alpha, beta : float
        Standard deviations of ``u_k`` and ``B_k``: how much models and features differ.
    """
    deviations = np.arange(1, NUM_FEATURES + 1) ** -0.6  # the root of the variances j^-1.2
    for size in sizes:
        center, offset = random.normal(0, alpha), random.normal(0, beta)
        means = random.normal(offset, 1, NUM_FEATURES)
        truth = random.normal(center, 1, (NUM_FEATURES, NUM_CLASSES))
        bias = random.normal(center, 1, NUM_CLASSES)
        drawn = means + deviations * random.standard_normal((size, NUM_FEATURES))
        yield drawn, (drawn @ truth + bias).argmax(axis=1)


def client_sizes(random: np.random.Generator, num_clients: int, spread: float) -> NDArray[np.intp]:
    """Draw how many samples each client has: at least 50, log-normal."""
    return random.lognormal(4, spread, num_clients).astype(np.intp) + 50


def read_synthetic(
    _: Path,
    alpha: float = 1.0,
    beta: float = 1.0,
    clients: int = 100,
    size_spread: float = 0.8,
    seed: int = 1,
) -> Task:
    """Generate the clients' data; a tenth of each client's samples is for testing.

    Parameters
    ----------
    alpha, beta : float
        How much models and features differ between clients; at least 0.
    clients : int
        How many natural clients there are.
    size_spread : float
        Of the logarithms of their sizes.
    seed : int
        Of the data; not the run's, so that runs are compared on the same data.

    Raises
    ------
    DataUnavailable
        For parameters out of their range.
    """
    if min(alpha, beta, size_spread) < 0 or clients < 2:
        raise DataUnavailable(
            "synthetic takes alpha, beta and size_spread of at least 0 and at least 2 clients, got "
            f"alpha={alpha}, beta={beta}, size_spread={size_spread}, clients={clients}"
        )
    random = np.random.default_rng([2020, seed])
    sizes = np.minimum(client_sizes(random, clients, size_spread), LARGEST)
    drawn = list(client_data(random, sizes, alpha, beta))
    owners = np.repeat(np.arange(clients), sizes)
    ends = np.cumsum(sizes)
    tested = np.arange(len(owners)) >= (ends - sizes // 10)[owners]  # the last tenth of each
    whole = Samples(
        torch.from_numpy(np.concatenate([features for features, _ in drawn]).astype(np.float32)),
        torch.from_numpy(np.concatenate([labels for _, labels in drawn])),
        owners,
    )
    parts = (whole.select(np.flatnonzero(~tested)), whole.select(np.flatnonzero(tested)))
    return Task(*parts, NUM_CLASSES, "logistic")
