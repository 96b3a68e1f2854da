"""What a model achieves on a client's own samples: F_i(theta), its gradient, and the accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

EVALUATION_BATCH = {"cpu": 50, "cuda": 2000}
"""Samples evaluated at once: on a CPU as many as keep a layer's values in its cache."""

BatchTransform = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def evaluation_batch(device: torch.device) -> int:
    """Return how many samples to evaluate at once on a device."""
    return EVALUATION_BATCH.get(device.type, EVALUATION_BATCH["cpu"])


@torch.inference_mode()
def mean_loss(
    model: nn.Module, inputs: Tensor, labels: Tensor, transform: BatchTransform | None = None
) -> float:
    """Return the mean cross-entropy over all samples, with the model in eval mode.

    Sums are in float64, so that the result does not depend on how the samples fall into batches.
    """
    model.eval()
    total = torch.zeros((), dtype=torch.float64, device=inputs.device)
    for batch, targets in _batches(inputs, labels, transform):
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
    for batch, targets in _batches(inputs, labels, transform):
        loss = functional.cross_entropy(model(batch), targets, reduction="sum")
        for total, gradient in zip(totals, torch.autograd.grad(loss, parameters), strict=True):
            total += gradient
    squared = sum(float(total.double().square().sum()) for total in totals)
    return math.sqrt(squared) / len(labels)


@torch.inference_mode()
def loss_and_accuracy(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return mean cross-entropy and share of right answers, with the model in eval mode.

    Parameters
    ----------
    model : Module
        Maps inputs to class scores; on the device of the samples.
    inputs : Tensor of shape (n, ...)
        At least one sample, floating point.
    labels : Tensor of shape (n,), int64
    """
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=inputs.device)
    right = torch.zeros((), dtype=torch.int64, device=inputs.device)
    for batch, targets in _batches(inputs, labels):
        scores = model(batch)
        losses = functional.cross_entropy(scores, targets, reduction="none")
        loss += losses.sum(dtype=torch.float64)
        right += (scores.argmax(dim=1) == targets).sum()
    return float(loss) / len(labels), int(right) / len(labels)


def _batches(
    inputs: Tensor, labels: Tensor, transform: BatchTransform | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    at_once = evaluation_batch(inputs.device)
    for batch in zip(inputs.split(at_once), labels.split(at_once), strict=True):
        yield batch if transform is None else transform(*batch)
