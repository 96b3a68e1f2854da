"""Attackers that spoil their own update: noise, the opposite sign, a large multiple, or nothing at all.

None of these needs to know anything of other clients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .attack import Attack, Update
from .backdoors.distributed import scaled
from .knowledge import Knowledge
from .update_vectors import as_vector, in_form_of

if TYPE_CHECKING:
    from clients.local_training import TrainingReport


@dataclass(frozen=True, kw_only=True)
class AdditiveNoise(Attack):
    """Add Gaussian noise, drawn anew by every attacker in every round.

    Blanchard et al., "Machine learning with adversaries" (NeurIPS 2017).

    Parameters
    ----------
    strength : float, default 100.0
        Expected length of the noise as a multiple of the update's, above 0.
    """

    strength: float = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.strength > 0:
            raise ValueError(f"strength must be above 0, got {self.strength}")

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Add the noise."""
        vector = as_vector(update)
        deviation = self.strength * float(np.linalg.norm(vector)) / math.sqrt(max(len(vector), 1))
        return in_form_of(vector + deviation * knowledge.random.standard_normal(len(vector)), update)


@dataclass(frozen=True, kw_only=True)
class SignFlip(Attack):
    """Send the opposite of the update, scaled.

    Li et al., "RSA: Byzantine-robust stochastic aggregation methods" (AAAI 2019).

    Parameters
    ----------
    scale : float, default 5.0
        The multiple, above 0.
    """

    scale: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.scale > 0:
            raise ValueError(f"scale must be above 0, got {self.scale}")

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Flip and scale."""
        return in_form_of(-self.scale * as_vector(update), update)


@dataclass(frozen=True, kw_only=True)
class ModelReplacement(Attack):
    """Scale the update so that the attackers together replace the average; for combinations.

    Bagdasaryan et al., "How to backdoor federated learning" (AISTATS 2020).

    Parameters
    ----------
    replacement : float, default 1.0
        Which multiple of the average over all clients the attackers' sum replaces, above 0.
    """

    replacement: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.replacement > 0:
            raise ValueError(f"replacement must be above 0, got {self.replacement}")

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Scale by the number of clients over that of attackers."""
        return scaled(update, self.replacement * knowledge.num_clients / knowledge.num_attackers)


@dataclass(frozen=True, kw_only=True)
class FreeRider(Attack):
    """Send the received model back, and report that there was nothing to gain.

    Lin, Du, Liu, "Free-riders in federated learning: attacks and defenses" (2019).
    """

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return an update of zeros."""
        return in_form_of(np.zeros_like(as_vector(update)), update)

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Report a gap of zero, as for a model that did not change."""
        return replace(report, loss_after=report.loss_before, loss_gap=0.0)
