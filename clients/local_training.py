"""Local training of one client and the optimality gap it closes.

PAwBRoFL approximates a client's optimality gap ``F_i(theta) - F_i*`` by what its own local training
gains: the loss on its training data under the received model minus the loss after training. Both are
taken over all its samples, with the model in eval mode. Samples stay in memory as two tensors and
every epoch gathers them once, in shuffled order, so a batch is a slice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

EVALUATION_BATCH = {"cpu": 200, "cuda": 2000}
"""Samples evaluated at once: on a CPU as many as keep a layer's values in its cache."""

BatchTransform = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class LocalTraining:
    """How a client trains.

    Parameters
    ----------
    epochs : int
        Passes over the client's samples, at least 1.
    batch_size : int
        Samples per step, at least 1; the last batch of an epoch may be smaller.
    learning_rate : float
        Of plain SGD, above 0.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    epochs: int
    batch_size: int
    learning_rate: float

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")


@dataclass(frozen=True)
class TrainingReport:
    """What a client tells of its training.

    Attributes
    ----------
    loss_before, loss_after : float
        Mean cross-entropy on the client's training data, under the received and the trained model.
    num_examples : int
        Number of training samples.
    loss_gap : float
        The optimality gap: ``loss_before - loss_after`` if measured honestly.
    """

    loss_before: float
    loss_after: float
    num_examples: int
    loss_gap: float


def train_and_measure(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    training: LocalTraining,
    generator: torch.Generator,
    transform: BatchTransform | None = None,
) -> TrainingReport:
    """Train a model in place on one client's samples and report its optimality gap.

    Parameters
    ----------
    model : Module
        Maps inputs to class scores; on the device of the samples.
    inputs : Tensor of shape (n, ...)
        The client's samples, floating point.
    labels : Tensor of shape (n,), int64
        Their classes.
    training : LocalTraining
        Epochs, batch size, learning rate.
    generator : Generator
        On the CPU; decides the order of the samples in every epoch.
    transform : callable, optional
        Applied to every batch, when training and when measuring the loss.
    """
    before = mean_loss(model, inputs, labels, transform)
    train(model, inputs, labels, training, generator, transform)
    after = mean_loss(model, inputs, labels, transform)
    return TrainingReport(before, after, len(labels), before - after)


def train(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    training: LocalTraining,
    generator: torch.Generator,
    transform: BatchTransform | None = None,
) -> None:
    """Run plain SGD on the cross-entropy in place; see `train_and_measure` for the parameters."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=training.learning_rate, fused=True)
    for _ in range(training.epochs):
        order = torch.randperm(len(labels), generator=generator).to(inputs.device)
        batches = zip(
            inputs[order].split(training.batch_size),
            labels[order].split(training.batch_size),
            strict=True,
        )
        for batch, targets in batches:
            if transform is not None:
                batch, targets = transform(batch, targets)
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(model(batch), targets).backward()
            optimizer.step()


@torch.inference_mode()
def mean_loss(
    model: nn.Module, inputs: Tensor, labels: Tensor, transform: BatchTransform | None = None
) -> float:
    """Return the mean cross-entropy over all samples, with the model in eval mode.

    Sums are in float64, so that the result does not depend on how the samples fall into batches.
    """
    model.eval()
    total = torch.zeros((), dtype=torch.float64, device=inputs.device)
    at_once = evaluation_batch(inputs.device)
    for batch, targets in zip(inputs.split(at_once), labels.split(at_once), strict=True):
        if transform is not None:
            batch, targets = transform(batch, targets)
        losses = functional.cross_entropy(model(batch), targets, reduction="none")
        total += losses.sum(dtype=torch.float64)
    return float(total) / len(labels)


def evaluation_batch(device: torch.device) -> int:
    """Return how many samples to evaluate at once on a device."""
    return EVALUATION_BATCH.get(device.type, EVALUATION_BATCH["cpu"])
