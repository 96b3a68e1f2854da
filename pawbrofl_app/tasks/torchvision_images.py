"""MNIST and Fashion-MNIST, in the layout that torchvision uses.

They are downloaded once if they are missing: the first process to ask holds a file lock, so that no
other downloads at the same time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock
from torchvision import datasets

from .task import DataUnavailable, Samples, Task

IMAGE_SIZE = 28
NUM_CLASSES = 10


def read_mnist(root: Path) -> Task:
    """Return MNIST from a folder, downloaded there if it is missing."""
    return _read_or_download("mnist", datasets.MNIST, root)


def read_fashion_mnist(root: Path) -> Task:
    """Return Fashion-MNIST from a folder, downloaded there if it is missing."""
    return _read_or_download("fashion-mnist", datasets.FashionMNIST, root)


def _read_or_download(name: str, source: Any, root: Path) -> Task:
    try:
        parts = _read(source, root, download=False)
    except RuntimeError:
        parts = _download(name, source, root)
    # What else torchvision raises for files that are not as it expects is not foreseeable.
    except Exception as problem:
        raise _damaged(name, root, problem) from problem
    train, test = (_checked(part, name, root) for part in parts)
    return Task(train, test, NUM_CLASSES)


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


def _checked(part: Any, name: str, root: Path) -> Samples:
    images, labels = part.data, part.targets
    if images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE) or labels.shape != images.shape[:1]:
        shapes = f"{tuple(images.shape)} images and {tuple(labels.shape)} labels"
        raise _damaged(name, root, ValueError(shapes))
    if not len(labels) or labels.min() < 0 or labels.max() >= NUM_CLASSES:
        raise _damaged(name, root, ValueError(f"labels that are no classes below {NUM_CLASSES}"))
    return Samples(images[:, None], labels)


def _damaged(name: str, root: Path, problem: Exception) -> DataUnavailable:
    return DataUnavailable(
        f"the files of {name} in data-dir {str(root)!r} are damaged; remove them, and they are "
        f"downloaded anew ({type(problem).__name__}: {problem})"
    )
