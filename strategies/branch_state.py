"""What is remembered of each client between rounds, to decide which branch of the model it is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAIN = 0
"""The number of the main model; branches count from 1 and no number is given twice."""


@dataclass(frozen=True)
class Membership:
    """One client's.

    Attributes
    ----------
    home : int
        The branch whose model the client trains, `MAIN` if none.
    left_out : int
        In how many rounds running the main model's aggregation gave it no weight, of those in which it
        trained the main model as a member.
    main_loss : float
        Its loss under the main model when it was last sent that; NaN where unknown.
    worse : int
        In how many rounds running its loss under its branch was clearly above that.
    exits : int
        How often it left a branch because of that.
    away : int
        In how many rounds running no reply of it could be used, for a member of a branch.
    """

    home: int = MAIN
    left_out: int = 0
    main_loss: float = math.nan
    worse: int = 0
    exits: int = 0
    away: int = 0


NEWCOMER = Membership()

_DTYPES: dict[str, type] = {
    "home": np.int64,
    "left_out": np.int64,
    "main_loss": np.float64,
    "worse": np.int64,
    "exits": np.int64,
    "away": np.int64,
}


@dataclass(frozen=True)
class BranchState:
    """All clients' memberships.

    Attributes
    ----------
    members : mapping of str to Membership
        By client. Who is not named is a `NEWCOMER`.
    opened : int
        How many branches were ever opened.
    """

    members: Mapping[str, Membership] = field(default_factory=lambda: MappingProxyType({}))
    opened: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Be pickled, which a mapping proxy cannot."""
        return type(self), (dict(self.members), self.opened)

    def of(self, client: str) -> Membership:
        """Return a client's membership."""
        return self.members.get(client, NEWCOMER)

    def branches(self) -> list[int]:
        """Return the numbers of the branches that have members, ascending."""
        return sorted({member.home for member in self.members.values()} - {MAIN})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays, one entry for each client, for a checkpoint."""
        names = sorted(self.members)
        columns: dict[str, NDArray[Any]] = {
            name: np.array([getattr(self.members[client], name) for client in names], dtype=dtype)
            for name, dtype in _DTYPES.items()
        }
        return {"clients": np.array(names, dtype=np.str_), **columns, "opened": np.array(self.opened)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> BranchState:
        """Return the state that `arrays` took apart."""
        rows = zip(*(arrays[name].tolist() for name in _DTYPES), strict=True)
        memberships = [Membership(*row) for row in rows]
        members = dict(zip(arrays["clients"].tolist(), memberships, strict=True))
        return cls(MappingProxyType(members), int(arrays["opened"]))
