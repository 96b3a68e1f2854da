"""Several attacks at one client, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .attack import Attack
from .backdoor import Backdoor
from .knowledge import Knowledge, TrainingReport, Update

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class CombinedAttack(Attack):
    """Applies attacks in order, each to what the one before left, and each in its own rounds.

    Parameters
    ----------
    attacks : tuple of Attack
        At least one.
    """

    attacks: tuple[Attack, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.attacks:
            raise ValueError("attacks must hold at least one attack, got none")

    @property
    def backdoor(self) -> Backdoor | None:
        """That of the first of the attacks that has one."""
        backdoors = (attack.backdoor for attack in self.attacks)
        return next((backdoor for backdoor in backdoors if backdoor is not None), None)

    def with_data(self, inputs_of_class: Callable[[int], Tensor]) -> Attack:
        """Show every attack the data."""
        shown = tuple(attack.with_data(inputs_of_class) for attack in self.attacks)
        return replace(self, attacks=shown)

    def active(self, server_round: int) -> bool:
        """Return whether a round is one of any of the attacks'."""
        return any(attack.active(server_round) for attack in self.attacks)

    def in_round(self, server_round: int) -> Attack | None:
        """Return the attacks whose round it is."""
        active = tuple(attack for attack in self.attacks if attack.active(server_round))
        return CombinedAttack(attacks=active) if active else None

    @property
    def poisons_data(self) -> bool:
        """Whether any of the attacks changes the batches."""
        return any(attack.poisons_data for attack in self.attacks)

    def poison_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Apply every attack to the batch."""
        for attack in self.attacks:
            images, labels = attack.poison_batch(images, labels)
        return images, labels

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Apply every attack to the update."""
        for attack in self.attacks:
            update = attack.poison_update(update, knowledge)
        return update

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Apply every attack to the report."""
        for attack in self.attacks:
            report = attack.falsify_report(report, knowledge)
        return report
