"""Attackers that spoil their own update: noise, the opposite sign, a large multiple, or nothing at all.

None of these needs to know anything of other clients, but for what length is usual. Formulas and sources
are in `attacks.vectors`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .attack import Attack
from .knowledge import Knowledge, TrainingReport, Update
from .limits import ABOVE_0
from .update_vectors import as_vector, in_form_of, known_updates, scaled
from .vectors import additive_noise, project_onto_ball, sign_flip


@dataclass(frozen=True, kw_only=True)
class AdditiveNoise(Attack):
    """Add Gaussian noise, drawn anew by every attacker in every round.

    Parameters
    ----------
    strength : float, default 100.0
        Expected length of the noise as a multiple of the update's, above 0.
    """

    strength: float = field(default=100.0, metadata=ABOVE_0)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Add the noise."""
        return in_form_of(additive_noise(as_vector(update), self.strength, knowledge.random), update)


@dataclass(frozen=True, kw_only=True)
class SignFlip(Attack):
    """Send the opposite of the update, scaled.

    Parameters
    ----------
    scale : float, default 5.0
        The multiple, above 0.
    """

    scale: float = field(default=5.0, metadata=ABOVE_0)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Flip and scale."""
        return in_form_of(sign_flip(as_vector(update), self.scale), update)


@dataclass(frozen=True, kw_only=True)
class ModelReplacement(Attack):
    """Scale the update so that the attackers together replace the average; for combinations.

    Bagdasaryan et al., "How to backdoor federated learning" (AISTATS 2020).

    Parameters
    ----------
    replacement : float, default 1.0
        Which multiple of the average over all clients the attackers' sum replaces, above 0.
    """

    replacement: float = field(default=1.0, metadata=ABOVE_0)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Scale by the number of clients over that of attackers."""
        return scaled(update, self.replacement * knowledge.num_clients / knowledge.num_attackers)


@dataclass(frozen=True, kw_only=True)
class NormBall(Attack):
    """Shorten the update to a usual length; for combinations.

    Parameters
    ----------
    radius : float, default 1.0
        The ball's radius as a multiple of the median length of the known honest updates, above 0.
    """

    radius: float = field(default=1.0, metadata=ABOVE_0)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Project the update onto the ball."""
        usual = float(np.median(np.linalg.norm(known_updates(knowledge), axis=1)))
        return in_form_of(project_onto_ball(as_vector(update), self.radius * usual), update)


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
