"""The networks by name. PyTorch, and the network's own file, are imported when one is first made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def _convolutional() -> nn.Module:
    from .convolutional_networks import ConvolutionalNetwork

    return ConvolutionalNetwork()


def _normalized_convolutional() -> nn.Module:
    from .convolutional_networks import NormalizedConvolutionalNetwork

    return NormalizedConvolutionalNetwork()


def _perceptron() -> nn.Module:
    from .perceptron import Perceptron

    return Perceptron()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "cnn": _convolutional,
    "normalized-cnn": _normalized_convolutional,
    "perceptron": _perceptron,
}
"""What makes a network for images of shape (n, 1, 28, 28), which returns class scores (n, 10)."""


def initial_model(seed: int, network: str = "cnn") -> nn.Module:
    """Return one of `NETWORKS` with PyTorch's default initial weights, drawn from a seed."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[network]()
