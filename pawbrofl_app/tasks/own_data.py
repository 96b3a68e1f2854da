"""A site's own data: files in a folder of its own, in place of a share of the run's data set."""

from __future__ import annotations

import functools
import zipfile
from pathlib import Path

import numpy as np
import torch

from attacks.named_object import split_name

from .datasets import read_task
from .task import DataUnavailable, Samples, Task
from .task_form import TaskForm

OWN_DATA = "train.npz"
WITHOUT_FILES = ("digits", "synthetic")
"""Data sets that are read from no files, of which a site cannot have its own."""
TABLES = ("csv", "adult", "credit-default")


@functools.lru_cache(maxsize=1)
def load_own_task(data_dir: str, dataset: str, form: str) -> Task:
    """Return a task whose training part is all samples of a site's own data.

    Parameters
    ----------
    data_dir : str
        With ``train.npz``: arrays ``inputs`` (or ``images``), of the run's shape, and ``labels`` from 0.
        Else with files as ``dataset`` reads them: ``train.csv`` of a table, folders of classes, ...
    dataset : str
        The run's data set, or the site's own ``module:function``, whose training part is the site's.
    form : str
        The run's `TaskForm`, as JSON.

    Raises
    ------
    DataUnavailable
        Naming the file and what is wrong with it.
    """
    folder, wanted = Path(data_dir), TaskForm.parse(form)
    path = folder / OWN_DATA
    source = path if path.is_file() else folder
    try:
        own = _read(path, wanted) if path.is_file() else _read_files(folder, dataset, wanted)
        return wanted.task_of(own)
    except DataUnavailable as problem:
        named = str(folder) in str(problem)
        raise problem if named else DataUnavailable(f"{source}: {problem}") from problem


def _read_files(folder: Path, dataset: str, wanted: TaskForm) -> Samples:
    name, _ = split_name(dataset)
    if name in WITHOUT_FILES:
        raise DataUnavailable(f"data-dir {str(folder)!r} in the node config does not hold {OWN_DATA}")
    if name == "images" and "folders" in wanted.schema:
        from .image_folder import read_labelled

        return read_labelled(folder, wanted.schema)
    if name in TABLES and "fields" in wanted.schema:
        from .tables import read_rows

        return read_rows(folder, wanted.schema)
    return read_task(dataset, str(folder)).train


def _read(path: Path, wanted: TaskForm) -> Samples:
    try:
        with np.load(path, allow_pickle=False) as archive:
            inputs = archive["images"] if "images" in archive else archive["inputs"]
            labels = archive["labels"]
        if inputs.ndim == 3 and len(wanted.shape) == 3 and wanted.shape[0] == 1:
            inputs = inputs[:, None]  # grey images may do without their one channel
        if wanted.dtype == "float32" and inputs.dtype.kind in "fiu":
            inputs = inputs.astype(np.float32)
        if not np.isfinite(inputs).all():
            raise DataUnavailable("inputs must be finite")
        return Samples(torch.from_numpy(inputs), torch.from_numpy(labels))
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as problem:
        raise DataUnavailable(
            f"{path} is no .npz file with arrays inputs (or images) and labels: {problem}"
        ) from problem
