"""Tables in CSV files: ``dataset = "csv(label=salary, groups=sex)"``, and data sets that come as such.

``data-dir`` holds ``train.csv`` and ``test.csv``, or one file of which a fifth is drawn for the test
part, the same for every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from logging import WARNING
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from flwr.common.logger import log
from numpy.typing import NDArray

from .encoding import Encoding, labels_in
from .split import stratified
from .table_triggers import table_trigger
from .task import DataUnavailable, Samples, Task

MOST_GROUPS = 20


def read_csv(
    folder: Path,
    file: str = "",
    label: str = "label",
    client: str = "",
    groups: str = "",
    drop: str = "",
    trigger: str = "",
) -> Task:
    """Return a table.

    Parameters
    ----------
    folder : Path
    file : str
        The one file, by its path in the folder; by default ``train.csv`` beside ``test.csv``, or the
        only ``.csv`` there is.
    label : str
        The column to predict. Its values in the training part, sorted, are the classes.
    client : str
        The column that says whose each row is, if there is one; it is not learned from.
    groups : str
        Columns joined by ``+``: for each value of one, accuracy is measured apart. ``column=value``
        sets one value apart from all others.
    drop : str
        Columns, joined by ``+``, that are not learned from.
    trigger : str
        The backdoor's columns and values, such as ``age:95+workclass:Never-worked``; by default see
        `table_triggers`.

    Raises
    ------
    DataUnavailable
        Naming the file, column or value that is not as it should be.
    """
    path, train, test = _read(folder, file, label)
    try:
        for column in [label, *_names(client), *_names(drop), *_group_columns(groups)]:
            if column not in train:
                raise DataUnavailable(f"there is no column {column!r}, but {', '.join(map(str, train))}")
        encoding = Encoding.of(train, [label, *_names(client), *_names(drop)])
        for column in filter(None, [label, client]):
            if train[column].isna().any() or test[column].isna().any():
                raise DataUnavailable(f"column {column!r} must have a value in every row")
        classes = np.sort(train[label].unique())
        parts = [
            Samples(
                torch.from_numpy(encoding.encode(part)),
                torch.from_numpy(labels_in(part[label], classes)),
                pd.factorize(part[client], sort=True)[0] if client else None,
                _groups(part, groups, train),
            )
            for part in (train, test)
        ]
        chosen = table_trigger(parts[0], encoding, trigger)
        schema = {"label": label, "labels": classes.tolist(), "fields": encoding.as_fields()}
        return Task(parts[0], parts[1], len(classes), trigger=chosen, schema=schema)
    except DataUnavailable as problem:
        raise DataUnavailable(f"{path}: {problem}") from problem


def read_rows(folder: Path, schema: Mapping[str, Any]) -> Samples:
    """Return the rows of a site's own table, encoded as the run's table is.

    Parameters
    ----------
    folder : Path
        With ``train.csv``, or one ``.csv`` file. It may have more columns than the run's.
    schema : mapping
        That of the run's `Task`.

    Raises
    ------
    DataUnavailable
        Naming the file, and the column, value or label that is not as it should be.
    """
    encoding, label = Encoding.parse(schema["fields"]), schema["label"]
    found = [folder / "train.csv"] if (folder / "train.csv").is_file() else sorted(folder.glob("*.csv"))
    if len(found) != 1:
        columns = ", ".join([label, *(field.name for field in encoding.fields)])
        names = ", ".join(path.name for path in found) or "none"
        raise DataUnavailable(
            f"data-dir {str(folder)!r} must hold train.csv, or one .csv file, with the columns "
            f"{columns}; got {names}"
        )
    frame = _frame(found[0])
    try:
        if label not in frame:
            raise DataUnavailable(f"there is no column {label!r}, but {', '.join(map(str, frame))}")
        samples = Samples(
            torch.from_numpy(encoding.encode(frame)),
            torch.from_numpy(labels_in(frame[label], schema["labels"])),
        )
    except DataUnavailable as problem:
        raise DataUnavailable(f"{found[0]}: {problem}") from problem
    for field in encoding.fields:
        if field.values and not frame[field.name].astype(str).isin(field.values).any():
            known = ", ".join(field.values)
            log(WARNING, "%s: column %r has none of the values %s", found[0], field.name, known)
    return samples


def read_adult(folder: Path, groups: str = "sex+education=Doctorate", trigger: str = "") -> Task:
    """Return UCI Adult: who earns more than 50,000 dollars, by sex, and the domains of AFL and q-FFL."""
    place = _place(folder, "adult", "adult.csv")
    return read_csv(place, "adult.csv", label="salary", groups=groups, trigger=trigger)


def read_credit_default(folder: Path, groups: str = "SEX", trigger: str = "") -> Task:
    """Return UCI default of credit card clients: who does not pay next month, by sex."""
    place = _place(folder, "credit-default", "credit-default.csv")
    label = "default-payment-next-month"
    return read_csv(place, "credit-default.csv", label=label, groups=groups, drop="ID", trigger=trigger)


def _place(folder: Path, name: str, file: str) -> Path:
    return folder / name if (folder / name / file).is_file() else folder


def _read(folder: Path, file: str, label: str) -> tuple[Path, pd.DataFrame, pd.DataFrame]:
    both = folder / "train.csv", folder / "test.csv"
    if not file and all(path.is_file() for path in both):
        return both[0], _frame(both[0]), _frame(both[1])
    found = sorted(folder.glob("*.csv"))
    if not file and len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataUnavailable(
            f"data-dir {str(folder)!r} must hold train.csv and test.csv, or one .csv file, or "
            f"file=... name one of them; got {names}"
        )
    path = folder / file if file else found[0]
    whole = _frame(path)
    if label not in whole:
        raise DataUnavailable(f"{path}: there is no column {label!r}, but {', '.join(map(str, whole))}")
    train, test = stratified(whole[label].to_numpy())
    return path, whole.iloc[train], whole.iloc[test]


def _frame(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, skipinitialspace=True)
    except (OSError, ValueError) as problem:
        raise DataUnavailable(f"{path} is no CSV file with a header: {problem}") from problem
    if frame.empty:
        raise DataUnavailable(f"{path} must hold at least one row")
    return frame


def _names(joined: str) -> list[str]:
    return [name for name in joined.split("+") if name]


def _group_columns(groups: str) -> list[str]:
    return [name.partition("=")[0] for name in _names(groups)]


def _groups(part: pd.DataFrame, groups: str, train: pd.DataFrame) -> Mapping[str, NDArray[np.bool_]]:
    members: dict[str, NDArray[np.bool_]] = {}
    for item in _names(groups):
        name, equals, value = item.partition("=")
        texts = part[name].astype(str).to_numpy()
        values = sorted(train[name].astype(str).unique())
        if equals:
            if value not in values:
                raise DataUnavailable(f"groups: column {name!r} holds no {value!r}, but {values}")
            members |= {item: texts == value, f"{name}!={value}": texts != value}
        elif len(values) > MOST_GROUPS:
            raise DataUnavailable(
                f"groups: column {name!r} must have at most {MOST_GROUPS} values, got {len(values)}; "
                f"{name}=value sets one apart"
            )
        else:
            members |= {f"{name}={one}": texts == one for one in values}
    return members
