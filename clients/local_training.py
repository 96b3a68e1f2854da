"""Local training of one client and the optimality gap it closes.

Samples stay in memory as two tensors and every epoch gathers them once, in shuffled order, so a batch is
a slice. What is reported as the optimality gap, a measure of `gap_measures` decides; losses are over all
the samples that it names, with the model in eval mode.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from attacks.knowledge import TrainingReport
from attacks.limits import (
    ABOVE_0,
    AT_LEAST_0,
    AT_LEAST_1,
    BELOW_1,
    FINITE_AT_LEAST_0,
    PART,
    check_limits,
    one_of,
)

from .gap_measures import GAP_MEASURES, GapMeasure, ObservedTraining
from .local_evaluation import BatchTransform, gradient_norm, mean_loss
from .training_steps import Inertia, Pull, ReplayCache, StepByStep

REPLAYED_ON = "cuda"
"""Kind of device on which steps are replayed as a graph."""


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
        Of SGD, above 0.
    gap_measure : str, default "training"
        What is reported as the optimality gap: a name of `GAP_MEASURES`.
    validation_share : float, default 0.2
        Share of a client's samples, the last ones, that "validation" holds out; above 0 and below 1.
    gap_samples : int, default 0
        On how many samples, spread evenly over those that the measure names, a client measures its gap;
        0 for all. Each pass over them is a cost beside training.
    momentum : float, default 0
        Of SGD, at least 0 and below 1; it begins anew in every round.
    weight_decay : float, default 0
        Of SGD, at least 0.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    epochs: int = field(metadata=AT_LEAST_1)
    batch_size: int = field(metadata=AT_LEAST_1)
    learning_rate: float = field(metadata=ABOVE_0)
    gap_measure: str = field(default="training", metadata=one_of(GAP_MEASURES))
    validation_share: float = field(default=0.2, metadata=PART)
    gap_samples: int = field(default=0, metadata=AT_LEAST_0)
    momentum: float = field(default=0.0, metadata=BELOW_1)
    weight_decay: float = field(default=0.0, metadata=FINITE_AT_LEAST_0)

    def __post_init__(self) -> None:
        check_limits(self)

    @property
    def inertia(self) -> Inertia:
        """Momentum and weight decay."""
        return Inertia(self.momentum, self.weight_decay)

    @property
    def measure(self) -> GapMeasure:
        """What is reported as the optimality gap."""
        return GAP_MEASURES[self.gap_measure]

    def num_fitted(self, num_samples: int) -> int:
        """Return how many of a client's samples, the first ones, are trained on; at least one."""
        if not self.measure.holds_out:
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
    replays: ReplayCache | None = None,
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
    replays : ReplayCache, optional
        Where a GPU's steps are kept from one client to the next; by default they are captured anew.
    """
    fitted = training.num_fitted(len(labels))
    own = inputs[:fitted], labels[:fitted]
    measured = training.measured_on(len(labels)).to(labels.device)
    if len(measured) < len(labels):
        inputs, labels = inputs[measured], labels[measured]
    before, after, gap = training.measure.measure(
        ObservedTraining(
            partial(train, model, *own, training, generator, transform, replays),
            partial(mean_loss, model, inputs, labels, transform),
            partial(gradient_norm, model, inputs, labels, transform),
        )
    )
    return TrainingReport(before, after, fitted, gap)


def train(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    training: LocalTraining,
    generator: torch.Generator,
    transform: BatchTransform | None = None,
    replays: ReplayCache | None = None,
    pull: Pull | None = None,
) -> tuple[float, float]:
    """Run SGD on the cross-entropy, and what a pull adds to it, in place.

    See `train_and_measure` for the other parameters.

    Returns
    -------
    first, last : float
        The loss of the first and of the last batch, each before its step.
    """
    if not len(labels):
        raise ValueError("a client must have at least one sample to train on, got none")
    model.train()
    size, rate = training.batch_size, training.learning_rate
    replay = None
    if inputs.device.type == REPLAYED_ON:
        cache = replays or ReplayCache()
        replay = cache.going_on_from(model, size, rate, inputs, labels, pull, training.inertia)
    steps = replay or StepByStep(model, size, rate, pull, training.inertia)
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
