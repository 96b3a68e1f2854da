"""Images and their classes, in memory: what data sets are read into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

IMAGE_SIZE = 28
"""Height and width of all images, in pixels."""

NUM_CLASSES = 10


class DataUnavailable(RuntimeError):
    """Data are neither in their folder nor can they be downloaded, or cannot be read."""


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes.

    Attributes
    ----------
    images : Tensor of shape (n, 1, 28, 28), uint8
        Brightness from 0 to 255.
    labels : Tensor of shape (n,), int64
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: NDArray[np.intp]) -> LabelledImages:
        """Return some of the images."""
        return LabelledImages(self.images[indices], self.labels[indices])

    def as_inputs(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return images as float32 from 0 to 1, and labels, on a device."""
        return self.images.to(device).float() / 255, self.labels.to(device)


@dataclass(frozen=True)
class Dataset:
    """A data set's training and test part."""

    train: LabelledImages
    test: LabelledImages
