"""The trigger of the distributed backdoor for tables: some features, each set to a value of its own.

Xie, Huang, Chen, Li, "DBA: Distributed backdoor attacks against federated learning" (ICLR 2020), on
LOAN: six features that matter little are set to values a little above their largest ones. Each of three
groups of attackers sets two of them; together they are the trigger that is used on the final model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

GROUPS_ON_LOAN = 3


@dataclass(frozen=True)
class FeatureTrigger:
    """Columns of a table that are set to values.

    Parameters
    ----------
    patterns : tuple of mapping of int to float
        For each local pattern, values by the positions of the columns that it sets, in the units of the
        inputs. No column is in two of them.

    Raises
    ------
    ValueError
        For patterns that are empty or overlap.
    """

    patterns: tuple[Mapping[int, float], ...]

    def __post_init__(self) -> None:
        columns = [column for pattern in self.patterns for column in pattern]
        if not self.patterns or not all(self.patterns):
            raise ValueError(f"patterns must each set at least one column, got {self.patterns!r}")
        if len(set(columns)) != len(columns) or min(columns) < 0:
            raise ValueError(f"patterns must set different columns, counted from 0, got {columns!r}")

    @classmethod
    def of(
        cls, features: Sequence[Mapping[int, float]], num_patterns: int = GROUPS_ON_LOAN
    ) -> FeatureTrigger:
        """Return a trigger whose local patterns share features evenly, in their order.

        Parameters
        ----------
        features : sequence of mapping of int to float
            The columns of each, with values: of a number one, of a category as many as it has values.
        num_patterns : int
            At most one for each feature.
        """
        patterns: list[dict[int, float]] = [{} for _ in range(min(num_patterns, len(features)))]
        for position, feature in enumerate(features):
            patterns[position * len(patterns) // len(features)].update(feature)
        return cls(tuple(patterns))

    @property
    def num_patterns(self) -> int:
        """How many local patterns there are."""
        return len(self.patterns)

    def stamp(self, inputs: Tensor, patterns: Sequence[int] | None = None) -> Tensor:
        """Return copies of samples with some of the local patterns, by default all, set.

        Parameters
        ----------
        inputs : Tensor of shape (n, columns)
        patterns : sequence of int, optional

        Raises
        ------
        ValueError
            For inputs that are no rows of a table, or have too few columns.
        """
        last = max(max(pattern) for pattern in self.patterns)
        if inputs.dim() != 2 or inputs.shape[1] <= last:
            raise ValueError(
                f"a trigger in column {last} needs rows of at least {last + 1} columns, got inputs of "
                f"shape {tuple(inputs.shape[1:])}"
            )
        stamped = inputs.clone()
        for pattern in range(self.num_patterns) if patterns is None else patterns:
            for column, value in self.patterns[pattern % self.num_patterns].items():
                stamped[:, column] = value
        return stamped
