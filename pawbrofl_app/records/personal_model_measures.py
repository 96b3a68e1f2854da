"""What clients' personal models achieve, each on test images of its client's own kind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .fairness import Fairness

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PersonalModelMeasures:
    """The personal models of honest clients that evaluated last, each client counting the same.

    Attributes
    ----------
    personal_accuracy, worst_personal_accuracy : float
        Mean over the clients, and over the worst tenth of them; NaN without personal models.
    """

    personal_accuracy: float = math.nan
    worst_personal_accuracy: float = math.nan

    @classmethod
    def of(cls, evaluations: pd.DataFrame) -> PersonalModelMeasures:
        """Return the measures of a table of `layout.EvaluationRow`, which may be empty."""
        last = evaluations[evaluations["round"] == evaluations["round"].max()]
        found = last["test_accuracy"][~last["truly_malicious"]].dropna()
        spread = Fairness.of(list(found), list(found))
        return cls(spread.honest_accuracy, spread.worst_honest_accuracy)

    @property
    def known(self) -> bool:
        """Whether there are any."""
        return not math.isnan(self.personal_accuracy)

    def lines(self) -> list[str]:
        """Return a line for the log; none without personal models."""
        if not self.known:
            return []
        return [
            f"personal models        accuracy {self.personal_accuracy:.4f}, worst 10% of honest clients "
            f"{self.worst_personal_accuracy:.4f} (on test images of each client's kind)"
        ]
