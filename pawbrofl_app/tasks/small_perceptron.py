"""The smallest network, whose steps of SGD are written out: for studies of thousands of runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class SmallPerceptron(nn.Module):
    """Means of 2 x 2 pixels, then one hidden layer of 64 units: 13,258 parameters for digits.

    It is a `clients.training_steps.StepsItself`.

    Parameters
    ----------
    input_shape : sequence of int
        Of images, (channels, height, width), or of anything else, which is taken as it is.
    num_classes : int
    """

    def __init__(self, input_shape: Sequence[int], num_classes: int) -> None:
        super().__init__()
        num_inputs = _pooled(torch.zeros(1, *input_shape)).shape[1]
        self.hidden = nn.Linear(num_inputs, 64)
        self.output = nn.Linear(64, num_classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return class scores (n, num_classes) for n inputs."""
        scores: Tensor = self.output(self.hidden(_pooled(inputs)).relu())
        return scores

    def prepared(self, inputs: Tensor) -> Tensor:
        """Return inputs as `scores` and `sgd_step` take them."""
        return _pooled(inputs)

    @torch.no_grad()
    def scores(self, parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Return each of k models' class scores, (k, n, num_classes), for prepared inputs (k, n, d)."""
        return _forward(parameters, inputs)[1]

    @torch.no_grad()
    def sgd_step(
        self,
        parameters: Sequence[Tensor],
        inputs: Tensor,
        labels: Tensor,
        weights: Tensor,
        learning_rate: float,
    ) -> Tensor:
        """Take a step of SGD with each of k models, in place; return their losses before it.

        With ``h = relu(W x + b)``, ``s = V h + c``, ``e = weight * (softmax(s) - onehot)`` and
        ``d = V' e * [h > 0]`` the gradients are ``e h'`` of V, ``e`` of c, ``d x'`` of W and ``d`` of b.
        At this size automatic differentiation takes several times as long as the arithmetic.
        """
        weight, bias, output_weight, output_bias = parameters
        classes = labels[..., None]
        hidden, scores = _forward(parameters, inputs)
        log_probabilities = functional.log_softmax(scores, dim=2)
        losses = -(weights * log_probabilities.gather(2, classes)[..., 0]).sum(dim=1)
        errors = log_probabilities.exp_()
        errors.scatter_add_(2, classes, -torch.ones_like(classes, dtype=errors.dtype))
        errors *= learning_rate * weights[..., None]
        behind = torch.bmm(errors, output_weight).mul_(hidden > 0)
        output_weight.baddbmm_(errors.mT, hidden, alpha=-1)
        output_bias.sub_(errors.sum(dim=1))
        weight.baddbmm_(behind.mT, inputs, alpha=-1)
        bias.sub_(behind.sum(dim=1))
        return losses


def _forward(parameters: Sequence[Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return hidden values (k, n, 64) and class scores (k, n, classes) of k models."""
    weight, bias, output_weight, output_bias = parameters
    hidden = torch.baddbmm(bias[:, None], inputs, weight.mT).relu_()
    return hidden, torch.baddbmm(output_bias[:, None], hidden, output_weight.mT)


def _pooled(inputs: Tensor) -> Tensor:
    """Return images (n, channels, height, width) at half their width, and anything flattened."""
    return (functional.avg_pool2d(inputs, 2) if inputs.dim() == 4 else inputs).flatten(1)
