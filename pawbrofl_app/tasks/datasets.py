"""The data sets by name, whole and in memory. What reads one is imported when it is first asked for."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from .named_object import named_object, split_name, with_parameters
from .task import DataUnavailable, Task

DATA_DIR_VARIABLE = "PAWBROFL_DATA_DIR"
DEFAULT_DATA_DIR = Path.home() / ".cache" / "pawbrofl"

DATASETS: dict[str, str] = {
    "digits": ".digits:read_digits",
    "mnist": ".torchvision_images:read_mnist",
    "fashion-mnist": ".torchvision_images:read_fashion_mnist",
    "cifar10": ".cifar10:read_cifar10",
    "synthetic": ".synthetic:read_synthetic",
    "csv": ".tables:read_csv",
    "adult": ".tables:read_adult",
    "credit-default": ".tables:read_credit_default",
    "images": ".image_folder:read_images",
    "hub": ".hub:read_hub",
}
"""What reads a task from the folder of its files: a module of this package, and a function in it.

The function's other parameters, all with a default, may be given in brackets.
"""


@functools.lru_cache(maxsize=1)
def load_task(dataset: str, data_dir: str = "") -> Task:
    """Return a task; once read, it stays in this process's memory.

    Parameters
    ----------
    dataset : str
        One of `DATASETS`, with parameters in brackets where wanted.
    data_dir : str
        Folder of the files. Where it is empty, the folder that the environment variable
        ``PAWBROFL_DATA_DIR`` names, else ``~/.cache/pawbrofl``. "digits" needs none.

    Raises
    ------
    DataUnavailable
        Where the files are missing and cannot be downloaded, or cannot be read.
    """
    folder = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    try:
        name, given = split_name(dataset)
        if name not in DATASETS:
            raise ValueError(f"must be one of {', '.join(DATASETS)}, got {dataset!r}")
        read = named_object(DATASETS[name])
        parameters = with_parameters(read, given)
    except ValueError as problem:
        raise DataUnavailable(f"dataset {dataset!r}: {problem}") from problem
    task: Task = read(Path(folder) if folder else DEFAULT_DATA_DIR, **parameters)
    return task
