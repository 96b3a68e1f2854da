"""Local training of one client and the optimality gap it closes.

PAwBRoFL approximates a client's optimality gap ``F_i(theta) - F_i*`` by what its own local training
gains: the loss on its training data under the received model minus the loss after training. Both are
taken over all its samples, with the model in eval mode. Samples stay in memory as two tensors and
every epoch gathers them once, in shuffled order, so a batch is a slice.

Other measures of how badly a client is served may be reported in its place: the same difference on
samples that are held out from training; the loss of the first batch minus that of the last one, which
costs no pass over the data but compares different samples; and the norm of the loss's gradient under the
received model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from attacks.knowledge import TrainingReport

from .training_steps import StepByStep, kept_replay

EVALUATION_BATCH = {"cpu": 50, "cuda": 2000}
"""Samples evaluated at once: on a CPU as many as keep a layer's values in its cache."""

REPLAYED_ON = "cuda"
"""Kind of device on which steps are replayed as a graph."""

GAP_MEASURES = ("training", "validation", "batches", "gradient-norm")

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
    gap_measure : str, default "training"
        What is reported as the optimality gap: the loss gained on the training data ("training") or on
        held-out samples ("validation"), that of the first batch of training minus that of the last one
        ("batches"), or the gradient's norm under the received model, over the training data
        ("gradient-norm", in units of loss per parameter).
    validation_share : float, default 0.2
        Share of a client's samples, the last ones, that "validation" holds out; above 0 and below 1.
    gap_samples : int, default 0
        On how many samples, spread evenly over those that the measure names, a client measures its gap;
        0 for all. Each pass over them is a cost beside training.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    gap_measure: str = "training"
    validation_share: float = 0.2
    gap_samples: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if self.gap_measure not in GAP_MEASURES:
            raise ValueError(
                f"gap_measure must be one of {', '.join(GAP_MEASURES)}, got {self.gap_measure!r}"
            )
        if not 0 < self.validation_share < 1:
            raise ValueError(
                f"validation_share must be above 0 and below 1, got {self.validation_share}"
            )
        if self.gap_samples < 0:
            raise ValueError(f"gap_samples must be at least 0, got {self.gap_samples}")

    def num_fitted(self, num_samples: int) -> int:
        """Return how many of a client's samples, the first ones, are trained on; at least one."""
        if self.gap_measure != "validation":
            return num_samples
        return max(1, num_samples - max(1, round(self.validation_share * num_samples)))

    def measured_on(self, num_samples: int) -> Tensor:
        """Return the positions, among a client's samples, of those that its gap is measured on."""
        fitted = self.num_fitted(num_samples)
        first = fitted if fitted < num_samples else 0
        available = num_samples - first
        taken = min(available, self.gap_samples or available)
        return first + torch.arange(taken) * available // taken


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
    fitted = training.num_fitted(len(labels))
    own_inputs, own_labels = inputs[:fitted], labels[:fitted]
    if training.gap_measure == "batches":
        first, last = train(model, own_inputs, own_labels, training, generator, transform)
        return TrainingReport(first, last, fitted, first - last)
    measured = training.measured_on(len(labels)).to(labels.device)
    if len(measured) < len(labels):
        inputs, labels = inputs[measured], labels[measured]
    gradient = None
    if training.gap_measure == "gradient-norm":
        gradient = gradient_norm(model, inputs, labels, transform)
    before = mean_loss(model, inputs, labels, transform)
    train(model, own_inputs, own_labels, training, generator, transform)
    after = mean_loss(model, inputs, labels, transform)
    return TrainingReport(before, after, fitted, before - after if gradient is None else gradient)


def train(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    training: LocalTraining,
    generator: torch.Generator,
    transform: BatchTransform | None = None,
) -> tuple[float, float]:
    """Run plain SGD on the cross-entropy in place; see `train_and_measure` for the parameters.

    Returns
    -------
    first, last : float
        The loss of the first and of the last batch, each before its step.
    """
    if not len(labels):
        raise ValueError("a client must have at least one sample to train on, got none")
    model.train()
    size, rate = training.batch_size, training.learning_rate
    replay = (
        kept_replay(model, size, rate, inputs, labels) if inputs.device.type == REPLAYED_ON else None
    )
    steps = replay or StepByStep(model, size, rate)
    first = None
    for _ in range(training.epochs):
        order = torch.randperm(len(labels), generator=generator).to(inputs.device)
        epoch = inputs[order], labels[order]
        if transform is not None:
            epoch = _transformed(*epoch, size, transform)
        loss = steps.run(*epoch)
        first = loss if first is None else first
    assert first is not None
    if replay is not None:
        replay.unload(model)
    return first.item(), steps.last_loss.item()


def _transformed(
    inputs: Tensor, labels: Tensor, batch_size: int, transform: BatchTransform
) -> tuple[Tensor, Tensor]:
    batches = zip(inputs.split(batch_size), labels.split(batch_size), strict=True)
    changed_inputs, changed_labels = zip(*(transform(*batch) for batch in batches), strict=True)
    return torch.cat(changed_inputs), torch.cat(changed_labels)


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


def gradient_norm(
    model: nn.Module, inputs: Tensor, labels: Tensor, transform: BatchTransform | None = None
) -> float:
    """Return the Euclidean norm of the mean cross-entropy's gradient over all samples, in eval mode."""
    model.eval()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    totals = [torch.zeros_like(parameter) for parameter in parameters]
    at_once = evaluation_batch(inputs.device)
    for batch, targets in zip(inputs.split(at_once), labels.split(at_once), strict=True):
        if transform is not None:
            batch, targets = transform(batch, targets)
        loss = functional.cross_entropy(model(batch), targets, reduction="sum")
        for total, gradient in zip(totals, torch.autograd.grad(loss, parameters), strict=True):
            total += gradient
    squared = sum(float(total.double().square().sum()) for total in totals)
    return math.sqrt(squared) / len(labels)


def evaluation_batch(device: torch.device) -> int:
    """Return how many samples to evaluate at once on a device."""
    return EVALUATION_BATCH.get(device.type, EVALUATION_BATCH["cpu"])
