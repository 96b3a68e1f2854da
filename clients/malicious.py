"""The malicious client: the benign one with an attack plugged in."""

from __future__ import annotations

from collections.abc import Callable

import torch
from flwr.common import Scalar
from torch import Tensor, nn

from attacks import Attack

from .benign import BenignClient, NDArrays, batch_order
from .local_training import LocalTraining, TrainingReport, train_and_measure


class MaliciousClient(BenignClient):
    """A client whose data, update and report an attack may change; benign outside attack rounds.

    Parameters
    ----------
    attack : Attack
        What it changes, and in which rounds.
    others
        Those of `BenignClient`.
    """

    def __init__(
        self,
        make_model: Callable[[], nn.Module],
        inputs: Tensor,
        labels: Tensor,
        training: LocalTraining,
        *,
        partition_id: int,
        seed: int,
        attack: Attack,
    ) -> None:
        super().__init__(make_model, inputs, labels, training, partition_id=partition_id, seed=seed)
        self.attack = attack

    def fit(
        self, parameters: NDArrays, config: dict[str, Scalar]
    ) -> tuple[NDArrays, int, dict[str, Scalar]]:
        """Train the received model and send what the attack makes of it."""
        trained, num_examples, metrics = super().fit(parameters, config)
        if not self.attack.active(int(config["server_round"])):
            return trained, num_examples, metrics
        update = [before - after for before, after in zip(parameters, trained, strict=True)]
        poisoned = self.attack.poison_update(update)
        sent = [before - g for before, g in zip(parameters, poisoned, strict=True)]
        return sent, num_examples, metrics

    def train(self, model: nn.Module, server_round: int) -> TrainingReport:
        """Train on poisoned batches in attack rounds, and report what the attack has to say."""
        if not self.attack.active(server_round):
            return super().train(model, server_round)
        generator: torch.Generator = batch_order(self.seed, server_round, self.partition_id)
        report = train_and_measure(
            model,
            self.inputs,
            self.labels,
            self.training,
            generator,
            transform=self.attack.poison_batch,
        )
        return self.attack.falsify_report(report)
