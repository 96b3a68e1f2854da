"""The distributed backdoor attack (DBA).

Xie, Huang, Chen, Li, "DBA: Distributed backdoor attacks against federated learning" (ICLR 2020): the
global trigger is split into local patterns. Each attacker stamps its own pattern on a part of every
batch and relabels that part to the target class, and scales its update so that the backdoor survives
the average. The whole trigger then works on the global model although no attacker ever used it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..attack import Attack
from ..backdoor import Backdoor, SplitTrigger, poison_first
from ..knowledge import Knowledge, Update
from ..limits import ABOVE_0, AT_LEAST_0, SHARE
from ..update_vectors import scaled
from .bars import BarTrigger

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class LocalPattern(Attack):
    """An attacker that stamps its pattern of the trigger on a part of its data.

    Parameters
    ----------
    attacker : int
        The attacker's number among the malicious clients; it stamps local pattern
        ``attacker mod num_patterns``, of which bars have 4.
    target : int, default 2
        The class that triggered images shall be given.
    poison_fraction : float, default 20 / 64
        Share of each batch that is stamped and relabelled, in whole images and at least one; above 0,
        at most 1.
    trigger : SplitTrigger
        The patterns: by default four bars in images; for tables see `features.FeatureTrigger`.
    first_round, last_round
        Those of `Attack`.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    attacker: int = field(metadata=AT_LEAST_0)
    target: int = field(default=2, metadata=AT_LEAST_0)
    poison_fraction: float = field(default=20 / 64, metadata=SHARE)
    trigger: SplitTrigger = BarTrigger()

    @property
    def backdoor(self) -> Backdoor:
        """The whole trigger, whichever part of it this attacker stamps."""
        return Backdoor(self.trigger, self.target)

    @property
    def pattern(self) -> int:
        """The local pattern that this attacker stamps."""
        return self.attacker % self.trigger.num_patterns

    def poison_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Stamp the local pattern on the first images of a (shuffled) batch and relabel them."""
        return self.stamp_first(images, labels, [self.pattern])

    def stamp_first(
        self, images: Tensor, labels: Tensor, patterns: Sequence[int] | None
    ) -> tuple[Tensor, Tensor]:
        """Return the batch with some patterns on its first images, and these as the target class."""
        return poison_first(
            images,
            labels,
            self.poison_fraction,
            lambda first: self.trigger.stamp(first, patterns),
            self.target,
        )


@dataclass(frozen=True, kw_only=True)
class DistributedBackdoor(LocalPattern):
    """One attacker of a distributed backdoor that attacks in every round (multi-shot).

    Parameters
    ----------
    scale : float, default 5.0
        What the update is multiplied with, above 0.
    others
        Those of `LocalPattern`.
    """

    scale: float = field(default=5.0, metadata=ABOVE_0)

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Scale the update."""
        return scaled(update, self.scale)


@dataclass(frozen=True, kw_only=True)
class SingleShotBackdoor(LocalPattern):
    """One attacker of a distributed backdoor that attacks once, with a large scale (single-shot).

    The attackers of one local pattern attack together, one pattern a round from ``first_round`` on, and
    scale their updates so that their sum replaces an average over all clients.

    Parameters
    ----------
    replacement : float, default 1.0
        Which multiple of the average they replace, above 0.
    others
        Those of `LocalPattern`.
    """

    replacement: float = field(default=1.0, metadata=ABOVE_0)

    def active(self, server_round: int) -> bool:
        """Return whether a round is this attacker's."""
        own_round = self.first_round + self.pattern
        return super().active(server_round) and server_round == own_round

    def poison_update(self, update: Update, knowledge: Knowledge) -> Update:
        """Scale the update by the number of clients over that of attackers with the same pattern."""
        num_patterns = self.trigger.num_patterns
        together = len(range(self.pattern, knowledge.num_attackers, num_patterns))
        return scaled(update, self.replacement * knowledge.num_clients / max(together, 1))
