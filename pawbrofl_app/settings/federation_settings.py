"""Settings of the federation: how many clients there are, and how many of them take part in a round."""

from __future__ import annotations

from pydantic import Field
from pydantic.dataclasses import dataclass

from .setting import SECTION, Number, WholeNumber


@dataclass(frozen=True, config=SECTION)
class FederationSettings:
    """How many clients there are, and how many of them take part in a round."""

    num_clients: WholeNumber = Field(default=20, ge=1)
    """A run waits until that many SuperNodes are there."""
    fraction_fit: Number = Field(default=1.0, gt=0, le=1)
    """Share of the clients that train in a round."""
    fraction_evaluate: Number = Field(default=0.0, ge=0, le=1)
    """Share of the clients that evaluate the global model on their own data after each round, to see how
    evenly it serves them: evaluations.csv. It decides nothing."""
    evaluate_every: WholeNumber = Field(default=1, ge=1)
    """In how-manieth rounds they do, and in the last."""
    num_rounds: WholeNumber = Field(default=20, ge=1)
    """How many rounds the run trains."""

    @property
    def num_fit_clients(self) -> int:
        """How many clients train in a round, if all are there."""
        return max(1, int(self.fraction_fit * self.num_clients))
