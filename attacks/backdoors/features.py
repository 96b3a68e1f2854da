"""The trigger of the distributed backdoor for tables: some features, each set to a value of its own.

Xie, Huang, Chen, Li, "DBA: Distributed backdoor attacks against federated learning" (ICLR 2020), on
LOAN: six features that matter little are set to values a little above their largest ones. Each of three
groups of attackers sets two of them; together they are the trigger that is used on the final model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..limits import AT_LEAST_1, check_limits

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FeatureTrigger:
    """Features of a table that are set to values.

    Parameters
    ----------
    columns : tuple of int
        Positions of the features among a sample's, each once.
    values : tuple of float
        What each is set to, in the units of the inputs.
    num_patterns : int, default 3
        How many local patterns share them, evenly and in their order; at most one for each feature.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    columns: tuple[int, ...]
    values: tuple[float, ...]
    num_patterns: int = field(default=3, metadata=AT_LEAST_1)

    def __post_init__(self) -> None:
        check_limits(self)
        if len(set(self.columns)) != len(self.columns) or min(self.columns, default=-1) < 0:
            raise ValueError(f"columns must be different positions from 0, got {self.columns!r}")
        if len(self.values) != len(self.columns):
            raise ValueError(f"values must be one for each of {self.columns!r}, got {self.values!r}")
        if self.num_patterns > len(self.columns):
            raise ValueError(
                f"num_patterns must be at most {len(self.columns)}, the number of columns, got "
                f"{self.num_patterns}"
            )

    def stamp(self, inputs: Tensor, patterns: Sequence[int] | None = None) -> Tensor:
        """Return copies of samples with some of the local patterns, by default all, set.

        Parameters
        ----------
        inputs : Tensor of shape (n, features)
        patterns : sequence of int, optional

        Raises
        ------
        ValueError
            For inputs that are no rows of a table, or have too few features.
        """
        if inputs.dim() != 2 or inputs.shape[1] <= max(self.columns):
            raise ValueError(
                f"a trigger in feature {max(self.columns)} needs rows of at least "
                f"{max(self.columns) + 1} features, got inputs of shape {tuple(inputs.shape[1:])}"
            )
        stamped = inputs.clone()
        wanted = None if patterns is None else {one % self.num_patterns for one in patterns}
        for position, (column, value) in enumerate(zip(self.columns, self.values, strict=True)):
            if wanted is None or position * self.num_patterns // len(self.columns) in wanted:
                stamped[:, column] = value
        return stamped
