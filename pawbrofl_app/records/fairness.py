"""How evenly the global model serves clients: mean, worst tenth and variance over them.

The worst 10% as in q-FFL (Li, Sanjabi, Beirami, Smith, ICLR 2020): the mean over the tenth of the
clients, at least one, with the lowest accuracy; and over the tenth with the highest loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WORST_SHARE = 0.1


@dataclass(frozen=True)
class Fairness:
    """What a model achieves on the own data of honest clients, each client counting the same.

    Attributes
    ----------
    honest_accuracy, worst_honest_accuracy, honest_accuracy_variance : float
        Mean over the clients, mean over the worst tenth of them, and (population) variance.
    honest_loss, worst_honest_loss, honest_loss_variance : float
        The same of their losses. All are NaN where nobody evaluated.
    """

    honest_accuracy: float = math.nan
    worst_honest_accuracy: float = math.nan
    honest_accuracy_variance: float = math.nan
    honest_loss: float = math.nan
    worst_honest_loss: float = math.nan
    honest_loss_variance: float = math.nan

    @classmethod
    def of(cls, accuracies: Sequence[float], losses: Sequence[float]) -> Fairness:
        """Return the measures of clients with these accuracies and losses.

        Parameters
        ----------
        accuracies, losses : sequence of float
            One of each client, finite.
        """
        if not accuracies:
            return cls()
        # Sorted, so that the order of the clients does not show in the sums' last digits.
        ascending, descending = np.sort(accuracies), np.sort(losses)[::-1]
        worst = math.ceil(WORST_SHARE * len(ascending) - 1e-9)
        with np.errstate(over="ignore"):
            return cls(
                honest_accuracy=float(ascending.mean()),
                worst_honest_accuracy=float(ascending[:worst].mean()),
                honest_accuracy_variance=float(ascending.var()),
                honest_loss=float(descending.mean()),
                worst_honest_loss=float(descending[:worst].mean()),
                honest_loss_variance=float(descending.var()),
            )
