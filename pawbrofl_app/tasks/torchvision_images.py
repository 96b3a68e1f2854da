"""Data sets in the layout that torchvision uses: MNIST and Fashion-MNIST, and CIFAR-10.

They are downloaded once if they are missing: the first process to ask holds a file lock, so that no
other downloads at the same time.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torchvision import datasets

from .task import DataUnavailable, Samples, Task

NUM_CLASSES = 10


def read_mnist(root: Path) -> Task:
    """Return MNIST from a folder, downloaded there if it is missing."""
    return read_torchvision("mnist", datasets.MNIST, root, (1, 28, 28))


def read_fashion_mnist(root: Path) -> Task:
    """Return Fashion-MNIST from a folder, downloaded there if it is missing."""
    return read_torchvision("fashion-mnist", datasets.FashionMNIST, root, (1, 28, 28))


def read_torchvision(name: str, source: Any, root: Path, shape: tuple[int, int, int]) -> Task:
    """Return one of torchvision's data sets of ten classes from a folder, downloaded if it is missing.

    Parameters
    ----------
    name : str
        What it is called in messages.
    source : type
        Its class.
    root : Path
    shape : tuple of int
        Channels, height and width that its images must have.

    Raises
    ------
    DataUnavailable
        Where the files are damaged, or missing and cannot be downloaded.
    """
    try:
        parts = _read(source, root, download=False)
    except RuntimeError:
        parts = _download(name, source, root)
    # What else torchvision raises for files that are not as it expects is not foreseeable.
    except Exception as problem:
        raise _damaged(name, root, problem) from problem
    train, test = (_checked(part, name, root, shape) for part in parts)
    return Task(train, test, NUM_CLASSES)


def _read(source: Any, root: Path, *, download: bool) -> list[Any]:
    return [source(str(root), train=part, download=download) for part in (True, False)]


def _download(name: str, source: Any, root: Path) -> list[Any]:
    lock = FileLock(root / f".{name}.lock")
    there = {path for path in (root, *root.parents, *root.rglob("*")) if path.exists()}
    try:
        root.mkdir(parents=True, exist_ok=True)
        with lock:
            return _read(source, root, download=True)
    except (RuntimeError, OSError, ValueError) as problem:
        Path(lock.lock_file).unlink(missing_ok=True)
        for path in sorted({root, *root.parents, *root.rglob("*")} - there, reverse=True):
            with contextlib.suppress(OSError):  # a file, or a folder that holds some
                path.rmdir()
        raise DataUnavailable(
            f"data-dir {str(root)!r} does not hold {name} in torchvision's layout, and it could not "
            f"be downloaded there: {problem}"
        ) from problem


def _checked(part: Any, name: str, root: Path, shape: tuple[int, int, int]) -> Samples:
    images, labels = torch.as_tensor(part.data), torch.as_tensor(part.targets)
    # Grey images come without channels, others with channels last.
    images = images[:, None] if images.dim() == 3 else images.movedim(-1, 1)
    if images.shape[1:] != shape or labels.shape != images.shape[:1]:
        shapes = f"{tuple(images.shape)} images and {tuple(labels.shape)} labels"
        raise _damaged(name, root, ValueError(shapes))
    if not len(labels) or labels.min() < 0 or labels.max() >= NUM_CLASSES:
        raise _damaged(name, root, ValueError(f"labels that are no classes below {NUM_CLASSES}"))
    return Samples(images.contiguous(), labels)


def _damaged(name: str, root: Path, problem: Exception) -> DataUnavailable:
    return DataUnavailable(
        f"the files of {name} in data-dir {str(root)!r} are damaged; remove them, and they are "
        f"downloaded anew ({type(problem).__name__}: {problem})"
    )
