"""CSV tables whose columns are the fields of a dataclass: rows to text, and text to a DataFrame."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints

if TYPE_CHECKING:
    import pandas as pd
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")
DTYPES = {int: "int64", float: "float64", bool: "bool", str: "str"}


@dataclass(frozen=True)
class Table(Generic[Row]):
    """A CSV file with a header.

    Attributes
    ----------
    file : str
        Its name.
    row : type
        A dataclass of int, float, bool and str fields, or of such dataclasses.
    """

    file: str
    row: type[Row]

    @property
    def columns(self) -> dict[str, type]:
        """The names and types of the columns."""
        return columns_of(self.row)

    def to_csv(self, rows: Sequence[Row], *, header: bool) -> str:
        """Return rows as lines of the file, below a header if asked for."""
        import pandas as pd  # not at the top: a run is refused without its second

        return pd.DataFrame([values_of(row) for row in rows]).to_csv(header=header, index=False)

    def read(self, text: str) -> pd.DataFrame:
        """Return what a file holds; of an empty one, no rows.

        Floats are NaN where the file has nothing. A client's words are text even where they look like
        something else, and its whole numbers are of whatever type holds them.

        Raises
        ------
        ValueError
            For what is no such table.
        """
        import pandas as pd

        columns = self.columns
        if not text:
            return pd.DataFrame({name: pd.Series(dtype=DTYPES[kind]) for name, kind in columns.items()})
        return pd.read_csv(
            io.StringIO(text),
            dtype={name: DTYPES[kind] for name, kind in columns.items() if kind is not int},
            keep_default_na=False,
            na_values={name: [""] for name, kind in columns.items() if kind is float},
        )


def columns_of(row: type[DataclassInstance]) -> dict[str, type]:
    """Return the names and types of a dataclass's fields; a nested dataclass stands for its own."""
    kinds = get_type_hints(row)
    columns: dict[str, type] = {}
    for field in fields(row):
        kind = kinds[field.name]
        nested = isinstance(kind, type) and is_dataclass(kind)
        columns |= columns_of(kind) if nested else {field.name: kind}
    return columns


def values_of(row: DataclassInstance) -> dict[str, Any]:
    """Return the values of `columns_of`."""
    return _flat(asdict(row))


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: value}
    return flat
