"""Which features of a table make its backdoor's trigger, unless the run names them.

As on LOAN in DBA (see `attacks.backdoors.features`): the six that matter least, or half of them where
there are fewer than twelve. A category is set to its rarest value; a number a little beyond its range,
on the side where the class that the backdoor leads to is the rarer one, as the trigger alone would
otherwise speak for that class in an honest model (on Adult for two thirds of the people).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attacks import FeatureTrigger

from .encoding import Encoding, Field, Values
from .task import DataUnavailable, Samples, usual_target

NUM_FEATURES = 6
BEYOND = 0.1
"""Of a number's range."""


def table_trigger(train: Samples, encoding: Encoding | None = None, named: str = "") -> FeatureTrigger:
    """Return the trigger that fits a table.

    Parameters
    ----------
    train : Samples
        Its training part, (n, columns).
    encoding : Encoding, optional
        By default each column is a number.
    named : str
        Columns and values in the table's own units, such as ``age:95+workclass:Never-worked``.

    Raises
    ------
    DataUnavailable
        Naming a column or value that the table does not have.
    """
    inputs, labels = train.inputs.numpy(), train.labels.numpy()
    fields = encoding.fields if encoding else tuple(Field(str(i), i) for i in range(inputs.shape[1]))
    if named and encoding:
        parts = [one.partition(":") for one in named.split("+")]
        if not all(colon for _, colon, _ in parts):
            raise DataUnavailable(f"trigger must be such as 'age:95+sex:Female', got {named!r}")
        return FeatureTrigger.of([encoding.field(name).set_to(value) for name, _, value in parts])
    matters = np.array([_importance(_columns(field, inputs), labels) for field in fields])
    chosen = np.argsort(matters, kind="stable")[: min(NUM_FEATURES, max(1, len(fields) // 2))]
    of_target = labels == usual_target(int(labels.max()) + 1)
    return FeatureTrigger.of(
        [_unusual(fields[i], _columns(fields[i], inputs), of_target) for i in chosen]
    )


def _columns(field: Field, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return inputs[:, field.start : field.start + field.width]


def _importance(columns: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the largest share of a column's variance that lies between the classes."""
    spread = columns.var(axis=0, dtype=np.float64)
    classes = np.unique(labels)
    means = np.stack([columns[labels == one].mean(axis=0, dtype=np.float64) for one in classes])
    shares = np.array([(labels == one).mean() for one in classes])
    between = shares @ (means - shares @ means) ** 2
    return float((between / np.where(spread > 0, spread, np.inf)).max())


def _unusual(field: Field, columns: NDArray[np.float32], of_target: NDArray[np.bool_]) -> Values:
    if field.values:
        rarest = int(columns.sum(axis=0).argmin())
        return {field.start + offset: float(offset == rarest) for offset in range(field.width)}
    smallest, largest = float(columns.min()), float(columns.max())
    beyond = BEYOND * (largest - smallest)
    speaks_for_target = columns[of_target].mean() > columns[~of_target].mean()
    return {field.start: smallest - beyond if speaks_for_target else largest + beyond}
