"""A client as Flower's PyTorch quickstarts have it: data set, transforms, ``DataLoader``.

The paper's network on MNIST in equal random parts, plain SGD. A module of its own, as Ray's actors
import it by name. The environment variable ``PAWBROFL_DATA_DIR`` names the folder of the data.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np
import torch
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Context, Scalar
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import MNIST
from torchvision.transforms import Compose, Normalize, ToTensor

from clients.model_arrays import arrays_of, load_arrays
from pawbrofl_app.tasks.convolutional_networks import ConvolutionalNetwork

BATCH_SIZE = 10
EPOCHS = 5
LEARNING_RATE = 0.01


def papers_network() -> nn.Module:
    """Return the paper's network in PyTorch's usual memory format."""
    return ConvolutionalNetwork().to(memory_format=torch.contiguous_format)


@functools.cache
def training_part() -> MNIST:
    """Return MNIST's training images; each is transformed when it is asked for."""
    transform = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    return MNIST(os.environ["PAWBROFL_DATA_DIR"], train=True, transform=transform)


def loader_of(indices: Any) -> DataLoader[Any]:
    """Return a loader of some of the training images, in batches of ten, shuffled."""
    return DataLoader(Subset(training_part(), list(indices)), batch_size=BATCH_SIZE, shuffle=True)


def train(model: nn.Module, loader: DataLoader[Any], epochs: int) -> float:
    """Train as the quickstarts do; return the mean loss of the last epoch's batches."""
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    model.train()
    for _ in range(epochs):
        running_loss = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
    return running_loss / len(loader)


class QuickstartClient(NumPyClient):
    """Trains the paper's network on one of equal random parts of MNIST."""

    def __init__(self, partition_id: int, num_partitions: int) -> None:
        shuffled = np.random.default_rng(0).permutation(len(training_part()))
        self.indices = np.array_split(shuffled, num_partitions)[partition_id]

    def fit(
        self, parameters: list[Any], config: dict[str, Scalar]
    ) -> tuple[list[Any], int, dict[str, Scalar]]:
        """Train the received model."""
        model = papers_network()
        load_arrays(model, parameters)
        loss = train(model, loader_of(self.indices), EPOCHS)
        return arrays_of(model), len(self.indices), {"loss": loss}


def client_fn(context: Context) -> Client:
    """Return the client of a SuperNode."""
    place = context.node_config
    return QuickstartClient(int(place["partition-id"]), int(place["num-partitions"])).to_client()


client_app = ClientApp(client_fn=client_fn)
