"""ResNet-18 for small images, with group or with batch normalisation.

He, Zhang, Ren, Sun, "Deep residual learning for image recognition" (CVPR 2016), as is usual for CIFAR: a
first convolution of 3 x 3 with stride 1 and no pooling after it. Group normalisation (Wu, He, ECCV 2018)
keeps no statistics of other clients' data in the model, which batch normalisation does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

from .convolutional_networks import image_shape

CHANNELS_TOGETHER = 32
"""Groups of a group normalisation."""


class ResNet18(nn.Module):
    """11.2 million parameters for colour images of ten classes.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width of an image, at least 8 pixels each.
    num_classes : int
    """

    normalise: Callable[[int], nn.Module] = staticmethod(
        lambda channels: nn.GroupNorm(CHANNELS_TOGETHER, channels)
    )

    def __init__(self, input_shape: Sequence[int] = (3, 32, 32), num_classes: int = 10) -> None:
        super().__init__()
        channels, _, _ = image_shape(input_shape, smallest=8)
        self.layers = ResNet(BasicBlock, [2, 2, 2, 2], num_classes, norm_layer=self.normalise)
        self.layers.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.layers.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.layers.maxpool = nn.Identity()
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores (n, num_classes) for images of the network's shape."""
        scores: Tensor = self.layers(images)
        return scores


class BatchNormalizedResNet18(ResNet18):
    """The same with batch normalisation, whose statistics are averaged, but no part of the Gramian."""

    normalise = nn.BatchNorm2d
