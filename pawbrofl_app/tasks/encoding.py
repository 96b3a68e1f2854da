"""Tables as numbers: numbers standardised, categories one column for each value.

All statistics are those of the training part.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .task import DataUnavailable

Values = dict[int, float]
"""What a field's columns are set to, by their positions."""


@dataclass(frozen=True)
class Field:
    """One column of a table, and its place among the encoded columns.

    Attributes
    ----------
    name : str
    start, width : int
        Its first encoded column, and how many it has.
    mean, deviation : float
        Of a number.
    values : tuple of str
        Of a category, each with a column; none of a number.
    """

    name: str
    start: int
    width: int = 1
    mean: float = 0.0
    deviation: float = 1.0
    values: tuple[str, ...] = ()

    def encode(self, column: pd.Series[Any]) -> NDArray[np.float32]:
        """Return the column's encoded ones, (n, width); a category's unknown values are all zeros."""
        if self.values:
            positions = pd.Index(self.values).get_indexer(pd.Index(column.astype(str)))
            encoded = np.zeros((len(column), len(self.values) + 1), np.float32)
            encoded[np.arange(len(column)), positions] = 1.0  # -1 of unknown values: the last column
            return encoded[:, :-1]
        standard = (_numbers(column) - self.mean) / self.deviation
        return standard.astype(np.float32)[:, None]

    def set_to(self, value: str) -> Values:
        """Return what the field's columns are where it has a value.

        Raises
        ------
        DataUnavailable
            For a category's unknown value, or a number's that is none.
        """
        if self.values and value not in self.values:
            raise DataUnavailable(f"{self.name} must be one of {', '.join(self.values)}, got {value!r}")
        try:
            encoded = self.encode(pd.Series([value if self.values else float(value)]))[0]
        except ValueError:
            raise DataUnavailable(f"{self.name} must be a number, got {value!r}") from None
        return {self.start + offset: float(one) for offset, one in enumerate(encoded)}


@dataclass(frozen=True)
class Encoding:
    """How the rows of a table become inputs."""

    fields: tuple[Field, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, left_out: Collection[str]) -> Encoding:
        """Return the encoding of all columns of a training part but some.

        Raises
        ------
        DataUnavailable
            Naming a column with missing numbers, or where no column is left.
        """
        fields: list[Field] = []
        for name in frame.columns:
            if name in left_out:
                continue
            start = fields[-1].start + fields[-1].width if fields else 0
            column = frame[name]
            if pd.api.types.is_numeric_dtype(column):
                numbers = _numbers(column)
                deviation = float(numbers.std()) or 1.0
                fields.append(Field(str(name), start, 1, float(numbers.mean()), deviation))
            else:
                values = tuple(sorted(column.astype(str).unique()))
                fields.append(Field(str(name), start, len(values), values=values))
        if not fields:
            raise DataUnavailable(f"no column is left to learn from beside {', '.join(left_out)}")
        return cls(tuple(fields))

    @classmethod
    def parse(cls, fields: Sequence[Mapping[str, Any]]) -> Encoding:
        """Return the encoding that `as_fields` described."""
        return cls(tuple(Field(**{**one, "values": tuple(one["values"])}) for one in fields))

    def as_fields(self) -> list[dict[str, Any]]:
        """Return the encoding as JSON has it."""
        return [{**asdict(field), "values": list(field.values)} for field in self.fields]

    def encode(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        """Return the rows of a table as (n, columns).

        Raises
        ------
        DataUnavailable
            Naming a column that is missing, or holds what it does not in the training part.
        """
        for field in self.fields:
            if field.name not in frame:
                raise DataUnavailable(f"column {field.name!r} is missing")
        return np.hstack([field.encode(frame[field.name]) for field in self.fields])

    def field(self, name: str) -> Field:
        """Return a field by its column's name.

        Raises
        ------
        DataUnavailable
            Naming those there are.
        """
        for field in self.fields:
            if field.name == name:
                return field
        known = ", ".join(field.name for field in self.fields)
        raise DataUnavailable(f"column must be one of {known}, got {name!r}")


def labels_in(column: pd.Series[Any], classes: Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
    """Return a column's labels as positions among the classes.

    Raises
    ------
    DataUnavailable
        Naming a label that is none of them.
    """
    positions = pd.Index(classes).get_indexer(column)
    if (positions < 0).any():
        unknown = column.to_numpy()[positions < 0][0]
        raise DataUnavailable(
            f"label {unknown!r} in column {column.name!r} is none of the training part's: "
            f"{list(classes)}"
        )
    return np.asarray(positions, np.int64)


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    try:
        numbers = column.to_numpy(np.float64)
    except (TypeError, ValueError) as problem:
        raise DataUnavailable(f"column {column.name!r} must hold numbers: {problem}") from problem
    missing = np.flatnonzero(~np.isfinite(numbers))
    if len(missing):
        raise DataUnavailable(
            f"column {column.name!r} must hold finite numbers, but {len(missing)} of {len(numbers)} are "
            f"not, the first in row {column.index[missing[0]] + 1}"
        )
    return numbers
