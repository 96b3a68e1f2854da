"""The three places where a malicious client can deviate: data, update and report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .backdoor import Backdoor
from .knowledge import Knowledge, TrainingReport, Update
from .limits import AT_LEAST_1, check_limits

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Changes nothing. Attacks override the hooks that they need.

    Parameters
    ----------
    first_round : int, default 1
        The first round of the attack.
    last_round : int, optional
        The last one; by default the attack never ends.
    every : int, default 1
        It comes and goes: of the rounds from the first on, only each so-many-th is attacked.

    Raises
    ------
    ValueError
        For rounds out of order, or a parameter out of the limits that its field states.
    """

    first_round: int = field(default=1, metadata=AT_LEAST_1)
    last_round: int | None = None
    every: int = field(default=1, metadata=AT_LEAST_1)

    def __post_init__(self) -> None:
        check_limits(self)
        if self.last_round is not None and self.last_round < self.first_round:
            raise ValueError(
                f"last_round must be at least first_round {self.first_round}, got {self.last_round}"
            )

    @property
    def backdoor(self) -> Backdoor | None:
        """What the attack teaches the global model, by which its success is measured; None for most."""
        return None

    def with_data(self, inputs_of_class: Callable[[int], Tensor]) -> Attack:
        """Return the attack with what it takes along from the data that the attackers have.

        Most attacks take nothing.

        Parameters
        ----------
        inputs_of_class : callable
            Returns all inputs of a class, in the form in which batches have them; none is possible.
        """
        return self

    def active(self, server_round: int) -> bool:
        """Return whether a round is one of the attack's."""
        since = server_round - self.first_round
        ended = self.last_round is not None and server_round > self.last_round
        return since >= 0 and since % self.every == 0 and not ended

    def in_round(self, server_round: int) -> Attack | None:
        """Return what is attacked with in a round; None where that is nothing."""
        return self if self.active(server_round) else None

    @property
    def poisons_data(self) -> bool:
        """Whether the attacker trains on other batches than it would honestly."""
        return type(self).poison_batch is not Attack.poison_batch

    @property
    def poisoned_share(self) -> float:
        """The share of an attacker's samples that are poisoned: its ``poison_fraction``, else all."""
        return float(getattr(self, "poison_fraction", 1.0))

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
