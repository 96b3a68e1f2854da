"""The 1,797 handwritten digits inside scikit-learn, enlarged from 8 x 8 pixels: nothing to download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional

from .task import Samples, Task

IMAGE_SIZE = 28
TEST_SHARE = 0.2


def read_digits(_: Path) -> Task:
    """Return the digits, the same split into training and test part for every run."""
    source = load_digits()
    small = torch.from_numpy(source.images / 16).float()[:, None]
    enlarged = functional.interpolate(
        small, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", align_corners=False
    )
    images = (255 * enlarged).round().to(torch.uint8)
    labels = torch.from_numpy(source.target).long()
    # The split is part of the data set, not of the run: seeds are compared on the same test images.
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_SHARE, random_state=0, stratify=source.target
    )
    whole = Samples(images, labels)
    return Task(whole.select(train), whole.select(test), num_classes=10)
