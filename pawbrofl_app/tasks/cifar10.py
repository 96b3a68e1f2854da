"""CIFAR-10: 60,000 colour images of 32 x 32 pixels in ten classes.

In torchvision's layout (``cifar-10-batches-py``), or as parquet files as on the Hugging Face hub, in
``data-dir`` or its folder ``cifar10``; where neither is there, torchvision downloads it.
"""

from __future__ import annotations

from pathlib import Path

from torchvision import datasets

from .hub import parquet_files, read_hub
from .task import Task
from .torchvision_images import read_torchvision

NUM_CLASSES = 10


def read_cifar10(folder: Path) -> Task:
    """Return CIFAR-10 from a folder, downloaded there if it is missing."""
    for place in (folder / "cifar10", folder):
        if parquet_files(place, "train"):
            return read_hub(place, num_classes=NUM_CLASSES)
    return read_torchvision("cifar10", datasets.CIFAR10, folder, (3, 32, 32))
