"""A folder of images, one folder for each class, grey or in colours: ``dataset = "images"``.

``data-dir`` holds ``train/CLASS/...`` and ``test/CLASS/...``, or folders of classes only, of which a
fifth is then drawn for the test part, the same for every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .pictures import decode_all, decoded_once
from .split import stratified
from .task import DataUnavailable, Samples, Task

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def read_images(folder: Path, size: int = 0) -> Task:
    """Return the images of a folder.

    Parameters
    ----------
    folder : Path
    size : int
        Height and width to make them of; 0 for those that they have, which must then be alike.

    Raises
    ------
    DataUnavailable
        Naming the folder or file that is not as it should be.
    """
    if not (folder / "train").is_dir():
        classes = _classes(folder)
        whole = _read(folder, classes, size)
        train, test = stratified(whole.labels.numpy())
        return _task(whole.select(train), whole.select(test), classes, size)
    classes = _classes(folder / "train")
    train_part, test_part = (_read(folder / part, classes, size) for part in ("train", "test"))
    return _task(train_part, test_part, classes, size)


def read_labelled(folder: Path, schema: Mapping[str, Any]) -> Samples:
    """Return the images of a site's own folder, in ``train/CLASS/...`` or ``CLASS/...``.

    Parameters
    ----------
    folder : Path
        It need not have all classes.
    schema : mapping
        That of the run's `Task`.

    Raises
    ------
    DataUnavailable
        Naming the folder or file that is not as it should be.
    """
    place = folder / "train" if (folder / "train").is_dir() else folder
    return _read(place, schema["folders"], schema["size"])


def _task(train: Samples, test: Samples, classes: list[str], size: int) -> Task:
    return Task(train, test, len(classes), schema={"folders": classes, "size": size})


def _classes(folder: Path) -> list[str]:
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(classes) < 2:
        raise DataUnavailable(
            f"{folder} must hold a folder of images for each of at least two classes, got {classes}"
        )
    return classes


def _read(folder: Path, classes: list[str], size: int) -> Samples:
    unknown = sorted({path.name for path in folder.glob("*/")} - set(classes))
    if unknown:
        raise DataUnavailable(f"{folder / unknown[0]}: no class of the training part: {classes}")
    files, labels = [], []
    for label, name in enumerate(classes):
        own = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in SUFFIXES)
        files += own
        labels += [label] * len(own)
    if not files:
        known = ", ".join(sorted(SUFFIXES))
        raise DataUnavailable(f"{folder} must hold images in folders of classes ({known}), got none")
    names = [str(path) for path in files]
    return Samples(
        decoded_once(files, [size], lambda: decode_all(files, names, size)), torch.tensor(labels)
    )
