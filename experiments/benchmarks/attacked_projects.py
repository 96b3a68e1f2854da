"""What projects in the manner of Flower's examples come to with a fifth of their clients malicious.

    PAWBROFL_DATA_DIR=... python -m experiments.benchmarks.attacked_projects [PROJECT ...] [--seeds N]

Four projects with ten clients on Flower's Message API, in one process: a scikit-learn model, a
convolutional network on skewed labels, a small transformer of random weights of which only adapters of
low rank and the head are trained (LoRA), and a network with batch normalisation. Two of ten clients
attack with one line, ``malicious("sign-flip")``; the server's strategy is Flower's ``FedAvg`` or
``Krum``, told that there are two, or `PAwBRoFL` without options. Clients report no gaps. Printed is the
accuracy on test samples after the last round.
"""

from __future__ import annotations

import argparse
import functools
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg, Krum
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from attacks import malicious
from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.partitions import PartitionedData, client_samples
from strategies.message import PAwBRoFL

NUM_CLIENTS, FRACTION = 10, 0.2
NUM_TRAINING, NUM_TEST = 3000, 1000
Arrays = list[NDArray[Any]]

STRATEGIES: dict[str, Callable[[], FedAvg]] = {
    "FedAvg": lambda: FedAvg(fraction_evaluate=0),
    "Krum, told 2": lambda: Krum(fraction_evaluate=0, num_malicious_nodes=2),
    "PAwBRoFL()": lambda: PAwBRoFL(fraction_evaluate=0),
}


class Project(ABC):
    """Somebody's model and data."""

    rounds = 5

    @abstractmethod
    def initial(self, seed: int) -> Arrays:
        """Return the model to begin with."""

    @abstractmethod
    def train(self, arrays: Arrays, client: int, seed: int) -> Arrays:
        """Return a client's model, trained for a round."""

    @abstractmethod
    def accuracy(self, arrays: Arrays) -> float:
        """Return a model's accuracy on the test samples."""


class Iris(Project):
    """Iris, and scikit-learn's logistic regression that a client fits for an iteration a round."""

    rounds = 10

    def __init__(self) -> None:
        samples = load_iris(return_X_y=True)
        split = train_test_split(*samples, test_size=30, stratify=samples[1], random_state=0)
        inputs, self.test_inputs, labels, self.test_labels = split
        order = np.argsort(labels, kind="stable")  # so that every client has all classes
        self.inputs, self.labels = inputs[order], labels[order]

    def initial(self, seed: int) -> Arrays:
        """Return zeros."""
        return [np.zeros((3, 4)), np.zeros(3)]

    def train(self, arrays: Arrays, client: int, seed: int) -> Arrays:
        """Fit the model further on every tenth of 120 flowers."""
        model = self._model(arrays)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an iteration does not converge
            model.fit(self.inputs[client::NUM_CLIENTS], self.labels[client::NUM_CLIENTS])
        return [model.coef_, model.intercept_]

    def accuracy(self, arrays: Arrays) -> float:
        """Count over 30 other flowers."""
        return float(self._model(arrays).score(self.test_inputs, self.test_labels))

    @staticmethod
    def _model(arrays: Arrays) -> Any:
        model = LogisticRegression(max_iter=1, warm_start=True)
        model.classes_ = np.arange(3)
        model.coef_, model.intercept_ = (array.copy() for array in arrays)
        return model


@dataclass(frozen=True)
class Pictures(Project):
    """3,000 images of a data set of the app, and a PyTorch network of which what is trained is sent."""

    dataset: str
    partition: str
    network: Callable[[], nn.Module]
    learning_rate: float

    def initial(self, seed: int) -> Arrays:
        """Return the network's random weights, as far as they are trained."""
        return [tensor.detach().numpy().copy() for tensor in self._sent(self._network(seed))]

    def train(self, arrays: Arrays, client: int, seed: int) -> Arrays:
        """Train for an epoch in batches of 32."""
        network = self._loaded(arrays)
        samples = client_samples(self._data(seed), client)
        inputs, labels = samples.as_inputs(torch.device("cpu"))
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.SGD(trained, self.learning_rate, momentum=0.9)
        network.train()
        for batch in torch.randperm(len(labels)).split(32):
            if len(batch) > 1:  # batch normalisation needs two
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
                optimizer.step()
        return [tensor.detach().numpy().copy() for tensor in self._sent(network)]

    def accuracy(self, arrays: Arrays) -> float:
        """Count over the first 1,000 test images."""
        network = self._loaded(arrays).eval()
        test = load_task(self.dataset).test.select(np.arange(NUM_TEST))
        inputs, labels = test.as_inputs(torch.device("cpu"))
        with torch.no_grad():
            return float((network(inputs).argmax(dim=1) == labels).double().mean())

    def _data(self, seed: int) -> PartitionedData:
        return PartitionedData(self.dataset, "", NUM_TRAINING, self.partition, 1.0, NUM_CLIENTS, seed)

    def _network(self, seed: int = 0) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return self.network()

    def _loaded(self, arrays: Arrays) -> nn.Module:
        network = self._network()
        with torch.no_grad():
            for tensor, array in zip(self._sent(network), arrays, strict=True):
                tensor.copy_(torch.as_tensor(array))
        return network

    @staticmethod
    def _sent(network: nn.Module) -> list[Tensor]:
        """Return what is trained, and the buffers of batch normalisation."""
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        return [*trained, *network.buffers()]


def convolutional(channels: int, side: int, *, normalised: bool) -> nn.Module:
    """Return a network of two convolutions and two dense layers."""
    norm = nn.BatchNorm2d if normalised else lambda _: nn.Identity()
    return nn.Sequential(
        *(nn.Conv2d(channels, 16, 5), norm(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3), norm(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * (((side - 4) // 2 - 2) // 2) ** 2, 64), nn.ReLU()),
        nn.Linear(64, 10),
    )


class LowRank(nn.Module):
    """A frozen linear layer plus the product of two small matrices, the second zero at first (LoRA)."""

    def __init__(self, width: int, rank: int = 4) -> None:
        super().__init__()
        self.frozen = nn.Linear(width, width).requires_grad_(False)
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """Add what the adapter makes of the inputs."""
        return torch.as_tensor(self.frozen(inputs) + self.up(self.down(inputs)))


class AdaptedTransformer(nn.Module):
    """Attention over the 16 patches of an image, in two layers of random weights with adapters."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 7, stride=7).requires_grad_(False)
        self.queries, self.keys, self.values, self.dense = (
            nn.ModuleList(LowRank(width) for _ in range(2)) for _ in range(4)
        )
        self.head = nn.Linear(16 * width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return the classes' scores."""
        hidden = self.patches(images).flatten(2).transpose(1, 2)
        for query, key, value, dense in zip(
            self.queries, self.keys, self.values, self.dense, strict=True
        ):
            attended = nn.functional.scaled_dot_product_attention(
                query(hidden), key(hidden), value(hidden)
            )
            hidden = hidden + attended
            hidden = hidden + torch.relu(dense(hidden))
        return torch.as_tensor(self.head(hidden.flatten(1)))


PROJECTS: dict[str, Callable[[], Project]] = {
    "iris, logistic regression": Iris,
    "Fashion-MNIST, Dirichlet 1.0, CNN": lambda: Pictures(
        "fashion-mnist",
        "dirichlet",
        functools.partial(convolutional, 1, 28, normalised=False),
        0.02,
    ),
    "Fashion-MNIST, transformer with adapters": lambda: Pictures(
        "fashion-mnist", "iid", AdaptedTransformer, 0.01
    ),
    "CIFAR-10, CNN with BatchNorm2d": lambda: Pictures(
        "cifar10", "iid", functools.partial(convolutional, 3, 32, normalised=True), 0.02
    ),
}


def client_app(project: Project, seed: int) -> ClientApp:
    """Return the clients, a fifth of them malicious."""
    app = ClientApp(mods=[malicious("sign-flip", fraction=FRACTION, seed=seed)])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        client = int(context.node_config["partition-id"])
        server_round = int(str(message.content.config_records["config"]["server-round"]))
        torch.manual_seed(1000 * seed + 10 * server_round + client)
        received = message.content.array_records["arrays"].to_numpy_ndarrays()
        trained = ArrayRecord(project.train(received, client, seed))
        metrics = MetricRecord({"num-examples": 1})
        return Message(RecordDict({"arrays": trained, "metrics": metrics}), reply_to=message)

    return app


def accuracy(project: Project, strategy: FedAvg, seed: int) -> float:
    """Train a federation to its end and return its model's accuracy."""
    grid = InProcessGrid(client_app(project, seed), {}, NUM_CLIENTS)
    model = ArrayRecord(project.initial(seed))
    result = strategy.start(grid, model, num_rounds=project.rounds)
    return project.accuracy(result.arrays.to_numpy_ndarrays())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("projects", nargs="*", default=list(PROJECTS), metavar="PROJECT")
    parser.add_argument("--seeds", type=int, default=1, help="how many, of which the mean is printed")
    options = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    rows = {}
    for name in options.projects:
        project = PROJECTS[name]()
        rows[name] = {
            strategy: np.mean([accuracy(project, make(), 1 + k) for k in range(options.seeds)])
            for strategy, make in STRATEGIES.items()
        }
        print(pd.DataFrame(rows).T.round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
