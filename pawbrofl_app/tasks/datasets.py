"""The data sets by name, whole and in memory. What reads one is imported when it is first asked for."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from attacks.named_object import is_own, named_object, split_name, with_parameters

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
    """Return a task with the trigger that fits it; once read, it stays in this process's memory.

    For parameters and errors see `read_task`.
    """
    return _with_trigger(read_task(dataset, data_dir))


def read_task(dataset: str, data_dir: str = "") -> Task:
    """Read a task.

    Parameters
    ----------
    dataset : str
        One of `DATASETS`, or ``module:function``, with parameters in brackets where wanted.
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
        if name not in DATASETS and not is_own(name):
            raise ValueError(f"must be one of {', '.join(DATASETS)}, got {dataset!r}")
        read = named_object(DATASETS.get(name, name), __package__)
        parameters = with_parameters(read, given)
    except ValueError as problem:
        raise DataUnavailable(f"dataset {dataset!r}: {problem}") from problem
    place = Path(folder) if folder else DEFAULT_DATA_DIR
    task: Task = (
        _read_own(dataset, read, place, parameters) if is_own(name) else read(place, **parameters)
    )
    return task


def _with_trigger(task: Task) -> Task:
    """Return a task that has a trigger where it is a table."""
    if task.trigger is not None or task.train.inputs.dim() != 2:
        return task
    from .table_triggers import table_trigger

    return replace(task, trigger=table_trigger(task.train))


def _read_own(dataset: str, read: Any, place: Path, parameters: dict[str, Any]) -> Task:
    """Return what somebody's own function reads, with its name before whatever is wrong with it."""
    try:
        task = read(place, **parameters)
    except Exception as problem:
        kind = "" if isinstance(problem, DataUnavailable) else f"{type(problem).__name__}: "
        raise DataUnavailable(f"dataset {dataset!r}, called with a folder: {kind}{problem}") from problem
    if not isinstance(task, Task):
        raise DataUnavailable(
            f"dataset {dataset!r} must return a pawbrofl_app.tasks.task.Task, got {type(task).__name__}"
        )
    return task
