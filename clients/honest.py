"""The honest client: trains on its own data and reports the optimality gap it closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
import torch
from flwr.client import NumPyClient
from flwr.common import Scalar, bytes_to_ndarray
from torch import Tensor, nn

from attacks.knowledge import TrainingReport

from .local_evaluation import BatchTransform, loss_and_accuracy
from .local_training import LocalTraining, train, train_and_measure
from .model_arrays import arrays_of, model_of
from .personal_model import PersonalModel
from .training_cache import NDArrays, Trained, TrainingCache


@dataclass(eq=False, repr=False)
class HonestClient(NumPyClient):
    """A Flower client that trains a PyTorch model on tensors in memory.

    Parameters
    ----------
    make_model : callable
        Returns a new model; its weights do not matter.
    inputs : Tensor of shape (n, ...)
        The client's samples, on the device to train on.
    labels : Tensor of shape (n,), int64
        Their classes, on the same device.
    training : LocalTraining
        Epochs, batch size, learning rate.
    partition_id : int
        Reported as a metric and part of the seed of the client's batches.
    seed : int
        The run's seed. Together with round and partition id it fixes the order of all batches.
    cache : TrainingCache, optional
        What the clients of this process share. By default the client has one for itself.
    personal : PersonalModel, optional
        Trained beside the received model and evaluated in its place. By default there is none.
    """

    make_model: Callable[[], nn.Module]
    inputs: Tensor
    labels: Tensor
    training: LocalTraining
    _: KW_ONLY
    partition_id: int
    seed: int
    cache: TrainingCache = field(default_factory=TrainingCache)
    personal: PersonalModel | None = None

    def fit(
        self, parameters: NDArrays, config: dict[str, Scalar]
    ) -> tuple[NDArrays, int, dict[str, Scalar]]:
        """Train the received model; ``config`` holds the number of the round as ``server_round``."""
        server_round = int(config["server_round"])
        trained, report = self.honest_training(parameters, server_round)
        if self.personal is not None and not self.personal.is_trained_in(server_round):
            self._train_personal(self.personal, parameters, server_round)
        return trained, report.num_examples, self.metrics(report)

    def honest_training(self, parameters: NDArrays, server_round: int) -> Trained:
        """Return the model that this client's training makes of the received one, and its report."""
        done = self.cache.done_ahead(self.partition_id)
        return self.train(parameters, server_round) if done is None else done

    def train(
        self, parameters: NDArrays, server_round: int, transform: BatchTransform | None = None
    ) -> Trained:
        """Train the received model on this client's batches of a round, changed where wanted."""
        model = model_of(self.make_model, parameters, self.inputs.device)
        report = train_and_measure(
            model,
            self.inputs,
            self.labels,
            self.training,
            batch_order(self.seed, server_round, self.partition_id),
            transform,
            self.cache.replays,
        )
        return arrays_of(model), report

    def _train_personal(self, personal: PersonalModel, parameters: NDArrays, server_round: int) -> None:
        """Train the personal model on the batches that the received one is trained on."""
        device = self.inputs.device
        received = model_of(self.make_model, parameters, device)
        model = model_of(self.make_model, personal.arrays or parameters, device)
        fitted = self.training.num_fitted(len(self.labels))
        train(
            model,
            self.inputs[:fitted],
            self.labels[:fitted],
            self.training,
            batch_order(self.seed, server_round, self.partition_id),
            replays=self.cache.replays,
            pull=personal.pull(received),
        )
        personal.keep(arrays_of(model), server_round)

    def evaluate(
        self, parameters: NDArrays, config: dict[str, Scalar]
    ) -> tuple[float, int, dict[str, Scalar]]:
        """Return loss and accuracy of the received model on the samples that this client trains on.

        With a personal model, those of that one, and its accuracy on test samples where there are some.
        """
        arrays = (self.personal.arrays if self.personal is not None else []) or parameters
        model = model_of(self.make_model, arrays, self.inputs.device)
        fitted = self.training.num_fitted(len(self.labels))
        loss, accuracy = loss_and_accuracy(model, self.inputs[:fitted], self.labels[:fitted])
        metrics: dict[str, Scalar] = {"accuracy": accuracy, "partition_id": self.partition_id}
        if self.personal is not None and self.personal.own_test is not None:
            metrics["test_accuracy"] = loss_and_accuracy(model, *self.personal.own_test())[1]
        return loss, fitted, metrics

    def get_parameters(self, config: dict[str, Scalar]) -> NDArrays:
        """Return the personal model, for a checkpoint; no arrays where there is none."""
        return [] if self.personal is None else self.personal.arrays

    def get_properties(self, config: dict[str, Scalar]) -> dict[str, Scalar]:
        """Return the partition id, by which the server keeps clients in a stable order.

        Where ``config`` holds the arrays of a personal model from a checkpoint, serialized, under the
        numbers from 0, the client takes them for its own.
        """
        if self.personal is not None and config:
            arrays = [config[str(number)] for number in range(len(config))]
            self.personal.keep([bytes_to_ndarray(array) for array in arrays if isinstance(array, bytes)])
        return {"partition_id": self.partition_id}

    def metrics(self, report: TrainingReport) -> dict[str, Scalar]:
        """Return the fit metrics: the gap, both losses, number of samples and partition id."""
        return {
            "loss_gap": report.loss_gap,
            "loss_before": report.loss_before,
            "loss_after": report.loss_after,
            "num_examples": report.num_examples,
            "partition_id": self.partition_id,
        }


def batch_order(seed: int, server_round: int, partition_id: int) -> torch.Generator:
    """Return the random generator of one client's batches in one round."""
    words = np.random.SeedSequence([seed, server_round, partition_id]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)
