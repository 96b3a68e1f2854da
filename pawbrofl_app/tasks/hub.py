"""Data sets of the Hugging Face hub: ``dataset = "hub(name=uoft-cs/cifar10)"``.

With a name, ``datasets`` fetches it, or finds it in its own cache without a network. Without one,
``data-dir`` holds its parquet files as they are on the hub: ``train-*.parquet``, ``test-*.parquet``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from .encoding import labels_in
from .pictures import decode_all, decoded_once
from .split import stratified
from .task import DataUnavailable, Samples, Task


def read_hub(
    folder: Path,
    name: str = "",
    inputs: str = "",
    label: str = "label",
    client: str = "",
    train: str = "train",
    test: str = "test",
    size: int = 0,
    num_classes: int = 0,
) -> Task:
    """Return a data set of the hub.

    Parameters
    ----------
    folder : Path
        Of the parquet files, where no name is given.
    name : str
        On the hub, such as ``uoft-cs/cifar10``.
    inputs : str
        The column of images, or several of numbers joined by ``+``; by default the first column of
        images, or else all columns of numbers.
    label, client : str
        The columns of labels, and of whose each sample is, if there is one.
    train, test : str
        The names of the splits; where there is no test split, a fifth of the training part is.
    size : int
        Height and width to make images of; 0 for those that they have.
    num_classes : int
        By default as many as the training part has labels.

    Raises
    ------
    DataUnavailable
        Naming the file, split or column that is not as it should be.
    """
    frames = {part: _frame(folder, name, part) for part in (train, test)}
    first = frames[train]
    if first is None:
        where = f"the hub's {name!r}" if name else str(folder)
        raise DataUnavailable(f"{where} has no split {train!r}")
    reader = _Columns(name or str(folder), first, inputs, label, client, size)
    files = {part: [] if name else parquet_files(folder, part) for part in (train, test)}
    whole = reader.samples(first, files[train])
    second = frames[test]
    if second is not None:
        return Task(whole, reader.samples(second, files[test]), num_classes)
    used, held_out = stratified(whole.labels.numpy())
    return Task(whole.select(used), whole.select(held_out), num_classes)


def parquet_files(folder: Path, part: str) -> list[Path]:
    """Return the files of a split, in order; none where there are none."""
    return sorted({*folder.glob(f"{part}*.parquet"), *folder.glob(f"*/{part}-*.parquet")})


def _frame(folder: Path, name: str, part: str) -> pd.DataFrame | None:
    if not name:
        files = parquet_files(folder, part)
        try:
            return (
                pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)
                if files
                else None
            )
        except (OSError, ValueError) as problem:
            raise DataUnavailable(f"{files[0]} is no parquet file: {problem}") from problem
    from datasets import get_dataset_split_names, load_dataset

    try:
        if part not in get_dataset_split_names(name):
            return None
        frame: pd.DataFrame = load_dataset(name, split=part).to_pandas()
    except Exception as problem:  # what datasets and the network raise is not foreseeable
        raise DataUnavailable(f"the hub's {name!r} cannot be read: {problem}") from problem
    return frame


class _Columns:
    """What of a data set's columns is input, label and client; found in the training part."""

    def __init__(
        self, source: str, frame: pd.DataFrame, inputs: str, label: str, client: str, size: int
    ) -> None:
        self._source, self._label, self._client, self._size = source, label, client, size
        for column in filter(None, [label, client, *inputs.split("+")]):
            if column not in frame:
                raise DataUnavailable(
                    f"{source} has no column {column!r}, but {', '.join(map(str, frame))}"
                )
        others = [column for column in frame if column not in (label, client)]
        pictures = [column for column in others if _holds_pictures(frame[column])]
        numbers = [column for column in others if pd.api.types.is_numeric_dtype(frame[column])]
        self._inputs = inputs.split("+") if inputs else pictures[:1] or numbers
        if not self._inputs:
            raise DataUnavailable(
                f"{source} has neither images nor numbers in {', '.join(map(str, others))}"
            )
        self._are_pictures = self._inputs[0] in pictures
        self._classes = sorted(frame[label].unique())

    def samples(self, frame: pd.DataFrame, files: list[Path]) -> Samples:
        return Samples(
            self._pictures(frame, files) if self._are_pictures else self._numbers(frame),
            self._labels(frame[self._label]),
            pd.factorize(frame[self._client], sort=True)[0] if self._client else None,
        )

    def _pictures(self, frame: pd.DataFrame, files: list[Path]) -> torch.Tensor:
        column = frame[self._inputs[0]]
        names = [f"{self._source}, {column.name} of row {row}" for row in range(len(column))]

        def decode() -> Any:
            return decode_all([picture["bytes"] for picture in column], names, self._size)

        if files:
            return decoded_once(files, [column.name, self._size], decode)
        return torch.from_numpy(decode().transpose(0, 3, 1, 2).copy())

    def _numbers(self, frame: pd.DataFrame) -> torch.Tensor:
        try:
            return torch.from_numpy(np.array(frame[self._inputs], np.float32))
        except (TypeError, ValueError) as problem:
            raise DataUnavailable(
                f"{self._source}: {self._inputs} are no numbers: {problem}"
            ) from problem

    def _labels(self, column: pd.Series[Any]) -> torch.Tensor:
        try:
            return torch.from_numpy(labels_in(column, self._classes))
        except DataUnavailable as problem:
            raise DataUnavailable(f"{self._source}: {problem}") from problem


def _holds_pictures(column: pd.Series[Any]) -> bool:
    first = column.iloc[0] if len(column) else None
    return isinstance(first, dict) and isinstance(first.get("bytes"), bytes)
