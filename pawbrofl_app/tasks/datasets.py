"""Image data sets, whole and in memory: digits inside scikit-learn, MNIST and Fashion-MNIST.

``digits`` needs no download. The others are read from ``data-dir``, in the layout that torchvision
uses, and downloaded there once if they are missing: the first process to ask holds a file lock, so that
no other downloads at the same time.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor
from torch.nn import functional

from ..settings.data_settings import DATASETS
from ..settings.threat_settings import IMAGE_SIZE, NUM_CLASSES

DATA_DIR_VARIABLE = "PAWBROFL_DATA_DIR"
DEFAULT_DATA_DIR = Path.home() / ".cache" / "pawbrofl"
DIGITS_TEST_SHARE = 0.2


class DataUnavailable(RuntimeError):
    """A data set is neither in its folder nor can it be downloaded."""


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

    def select(self, indices: Tensor | np.ndarray[tuple[int], np.dtype[np.intp]]) -> LabelledImages:
        """Return some of the images."""
        chosen = torch.as_tensor(indices)
        return LabelledImages(self.images[chosen], self.labels[chosen])

    def as_inputs(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return images as float32 from 0 to 1, and labels, on a device."""
        return self.images.to(device).float() / 255, self.labels.to(device)


@dataclass(frozen=True)
class Dataset:
    """A data set's training and test part."""

    train: LabelledImages
    test: LabelledImages


@functools.lru_cache(maxsize=1)
def load_dataset(name: str, data_dir: str = "") -> Dataset:
    """Return a data set; once read, it stays in this process's memory.

    Parameters
    ----------
    name : str
        "digits", "mnist" or "fashion-mnist".
    data_dir : str
        Folder of the files. Where it is empty, the folder that the environment variable
        ``PAWBROFL_DATA_DIR`` names, else ``~/.cache/pawbrofl``. "digits" needs none.

    Raises
    ------
    DataUnavailable
        Where the files are missing and cannot be downloaded, or cannot be read.
    """
    if name == "digits":
        return _digits()
    folder = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    return _from_torchvision(name, Path(folder) if folder else DEFAULT_DATA_DIR)


def _digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    source = load_digits()
    small = torch.from_numpy(source.images / 16).float()[:, None]
    enlarged = functional.interpolate(
        small, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", align_corners=False
    )
    images = (255 * enlarged).round().to(torch.uint8)
    labels = torch.from_numpy(source.target).long()
    # The split is part of the data set, not of the run: seeds are compared on the same test images.
    train, test = train_test_split(
        np.arange(len(labels)),
        test_size=DIGITS_TEST_SHARE,
        random_state=0,
        stratify=source.target,
    )
    whole = LabelledImages(images, labels)
    return Dataset(whole.select(train), whole.select(test))


def _from_torchvision(name: str, root: Path) -> Dataset:
    from torchvision import datasets

    source = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}.get(name)
    if source is None:
        raise DataUnavailable(f"dataset must be one of {', '.join(DATASETS)}, got {name!r}")
    try:
        parts = _read(source, root, download=False)
    except RuntimeError:
        parts = _download(name, source, root)
    # What else torchvision raises for files that are not as it expects is not foreseeable.
    except Exception as problem:
        raise _damaged(name, root, problem) from problem
    return Dataset(*(_checked(part, name, root) for part in parts))


def _read(source: Any, root: Path, *, download: bool) -> list[Any]:
    return [source(str(root), train=part, download=download) for part in (True, False)]


def _download(name: str, source: Any, root: Path) -> list[Any]:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{name}.lock"):
            return _read(source, root, download=True)
    except (RuntimeError, OSError, ValueError) as problem:
        raise DataUnavailable(
            f"data-dir {str(root)!r} does not hold {name} in torchvision's layout, and it could not "
            f"be downloaded there: {problem}"
        ) from problem


def _checked(part: Any, name: str, root: Path) -> LabelledImages:
    images, labels = part.data, part.targets
    if images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE) or labels.shape != images.shape[:1]:
        shapes = f"{tuple(images.shape)} images and {tuple(labels.shape)} labels"
        raise _damaged(name, root, ValueError(shapes))
    if not len(labels) or labels.min() < 0 or labels.max() >= NUM_CLASSES:
        raise _damaged(name, root, ValueError(f"labels that are no classes below {NUM_CLASSES}"))
    return LabelledImages(images[:, None], labels)


def _damaged(name: str, root: Path, problem: Exception) -> DataUnavailable:
    return DataUnavailable(
        f"the files of {name} in data-dir {str(root)!r} are damaged; remove them, and they are "
        f"downloaded anew ({type(problem).__name__}: {problem})"
    )
