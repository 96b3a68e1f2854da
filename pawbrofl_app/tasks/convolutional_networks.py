"""The paper's convolutional network, for images of any size: 319,520 parameters for MNIST."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MNIST_MEAN, MNIST_DEVIATION = 0.1307, 0.3081


def image_shape(input_shape: Sequence[int], smallest: int) -> tuple[int, int, int]:
    """Return channels, height and width.

    Raises
    ------
    ValueError
        For inputs that are no images of at least the smallest height and width.
    """
    if len(input_shape) != 3 or min(input_shape[1:]) < smallest:
        raise ValueError(
            f"it takes images of at least {smallest} x {smallest} pixels, got inputs of shape "
            f"{tuple(input_shape)}"
        )
    channels, height, width = input_shape
    return channels, height, width


class ConvolutionalNetwork(nn.Module):
    """Two 5 x 5 convolutions of 30 filters, each with ReLU and 2 x 2 max pooling, then 200 units.

    The ReLU comes after the pooling: the same numbers and gradients, for a quarter of the values.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width of an image, at least 4 pixels each.
    num_classes : int
    """

    def __init__(self, input_shape: Sequence[int] = (1, 28, 28), num_classes: int = 10) -> None:
        super().__init__()
        channels, height, width = image_shape(input_shape, smallest=4)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 30, kernel_size=5, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(30, 30, kernel_size=5, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(30 * (height // 4) * (width // 4), 200),
            nn.ReLU(),
            nn.Linear(200, num_classes),
        )
        # Channels beside each other in memory: the same numbers, in four fifths of the time on a CPU.
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores (n, num_classes) for images of the network's shape."""
        scores: Tensor = self.layers(images)
        return scores


class NormalizedConvolutionalNetwork(ConvolutionalNetwork):
    """The same, on images normalised by MNIST's mean and standard deviation of brightness.

    The code of Zhu et al. (AISTATS 2023) does so for MNIST, and not for Fashion-MNIST. The normalisation
    is the network's first step, so that data and triggers stay in brightness from 0 to 1.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores (n, num_classes) for images of the network's shape."""
        return super().forward((images - MNIST_MEAN) / MNIST_DEVIATION)
