"""The three places where a malicious client can deviate: data, update and report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .knowledge import Knowledge

if TYPE_CHECKING:
    from torch import Tensor

    from clients.local_training import TrainingReport

Update = list[NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Changes nothing. Attacks override the hooks that they need.

    Parameters
    ----------
    first_round : int, default 1
        The first round of the attack.
    last_round : int, optional
        The last one; by default the attack never ends.

    Raises
    ------
    ValueError
        For rounds out of order.
    """

    first_round: int = 1
    last_round: int | None = None

    def __post_init__(self) -> None:
        if self.first_round < 1:
            raise ValueError(f"first_round must be at least 1, got {self.first_round}")
        if self.last_round is not None and self.last_round < self.first_round:
            raise ValueError(
                f"last_round must be at least first_round {self.first_round}, got {self.last_round}"
            )

    def active(self, server_round: int) -> bool:
        """Return whether a round is one of the attack's."""
        return self.first_round <= server_round and (
            self.last_round is None or server_round <= self.last_round
        )

    def in_round(self, server_round: int) -> Attack | None:
        """Return what is attacked with in a round; None where that is nothing."""
        return self if self.active(server_round) else None

    @property
    def poisons_data(self) -> bool:
        """Whether the attacker trains on other batches than it would honestly."""
        return type(self).poison_batch is not Attack.poison_batch

    def poison_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the batch to train on in place of this one; the arguments stay unchanged."""
        return images, labels

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Return the update to send in place of this one, in its shapes and dtypes.

        Parameters
        ----------
        update : list of ndarray
            Received minus trained model, ``g = theta - theta_i``; stays unchanged.
        knowledge : Knowledge
            What the attacker knows in this round.
        """
        return update

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Return the report to send in place of this one."""
        return report
