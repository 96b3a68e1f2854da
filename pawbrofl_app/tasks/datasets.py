"""The data sets by name, whole and in memory. What reads one is imported when it is first asked for."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

from .labelled_images import Dataset, DataUnavailable

DATA_DIR_VARIABLE = "PAWBROFL_DATA_DIR"
DEFAULT_DATA_DIR = Path.home() / ".cache" / "pawbrofl"


def _digits(_: Path) -> Dataset:
    from .digits import read_digits

    return read_digits()


def _mnist(folder: Path) -> Dataset:
    from .torchvision_images import read_mnist

    return read_mnist(folder)


def _fashion_mnist(folder: Path) -> Dataset:
    from .torchvision_images import read_fashion_mnist

    return read_fashion_mnist(folder)


DATASETS: dict[str, Callable[[Path], Dataset]] = {
    "digits": _digits,
    "mnist": _mnist,
    "fashion-mnist": _fashion_mnist,
}
"""What reads a data set from the folder of its files."""


@functools.lru_cache(maxsize=1)
def load_dataset(name: str, data_dir: str = "") -> Dataset:
    """Return a data set; once read, it stays in this process's memory.

    Parameters
    ----------
    name : str
        One of `DATASETS`.
    data_dir : str
        Folder of the files. Where it is empty, the folder that the environment variable
        ``PAWBROFL_DATA_DIR`` names, else ``~/.cache/pawbrofl``. "digits" needs none.

    Raises
    ------
    DataUnavailable
        Where the files are missing and cannot be downloaded, or cannot be read.
    """
    if name not in DATASETS:
        raise DataUnavailable(f"dataset must be one of {', '.join(DATASETS)}, got {name!r}")
    folder = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    return DATASETS[name](Path(folder) if folder else DEFAULT_DATA_DIR)
