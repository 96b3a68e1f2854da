"""A site's own data: files in a folder of its own, in place of a share of the run's data set."""

from __future__ import annotations

import functools
import zipfile
from pathlib import Path

import numpy as np
import torch

from .datasets import load_task
from .task import DataUnavailable, Samples, Task

OWN_DATA = "train.npz"
IMAGE_SIZE, NUM_CLASSES = 28, 10


@functools.lru_cache(maxsize=1)
def load_own_task(data_dir: str, dataset: str) -> Task:
    """Return a task whose training part is all samples of a site's own data.

    Parameters
    ----------
    data_dir : str
        With ``train.npz``, which holds ``images`` of shape (n, 28, 28), uint8, and ``labels`` of shape
        (n,), whole numbers below 10; or with the data set in torchvision's layout.
    dataset : str
        The run's data set.

    Raises
    ------
    DataUnavailable
        Naming the file and what is wrong with it.
    """
    path = Path(data_dir) / OWN_DATA
    if path.is_file():
        own = _read(path)
        return Task(own, own, NUM_CLASSES)
    if dataset == "digits":
        raise DataUnavailable(f"data-dir {data_dir!r} in the node config does not hold {OWN_DATA}")
    return load_task(dataset, data_dir)


def _read(path: Path) -> Samples:
    try:
        with np.load(path, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as problem:
        raise DataUnavailable(
            f"{path} is no .npz file with arrays images and labels: {problem}"
        ) from problem
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise DataUnavailable(
            f"images in {path} must be uint8 of shape (n, {IMAGE_SIZE}, {IMAGE_SIZE}), got "
            f"{images.dtype} of shape {images.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1] or not len(labels):
        raise DataUnavailable(
            f"labels in {path} must be whole numbers, one for each of {len(images)} images and at least "
            f"one, got {labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= NUM_CLASSES:
        raise DataUnavailable(
            f"labels in {path} must be at least 0 and below {NUM_CLASSES}, got {labels.min()} to "
            f"{labels.max()}"
        )
    return Samples(torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64)))
