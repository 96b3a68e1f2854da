"""What a received model achieves on a client's own samples: F_i(theta), and the accuracy beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .local_training import evaluation_batch


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
    at_once = evaluation_batch(inputs.device)
    for batch, targets in zip(inputs.split(at_once), labels.split(at_once), strict=True):
        scores = model(batch)
        losses = functional.cross_entropy(scores, targets, reduction="none")
        loss += losses.sum(dtype=torch.float64)
        right += (scores.argmax(dim=1) == targets).sum()
    return float(loss) / len(labels), int(right) / len(labels)
