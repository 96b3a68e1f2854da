"""The centralised backdoor: the whole trigger at one client.

The comparison of Xie, Huang, Chen, Li, "DBA" (ICLR 2020) with Bagdasaryan et al., "How to backdoor
federated learning" (AISTATS 2020): what the distributed attackers share among them, one client does
alone. The other malicious clients behave honestly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..limits import AT_LEAST_1
from .distributed import DistributedBackdoor

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class CentralisedBackdoor(DistributedBackdoor):
    """One attacker that stamps the whole trigger.

    Parameters
    ----------
    stamping : int, default 1
        How many of the malicious clients attack, at least 1.
    others
        Those of `DistributedBackdoor`.
    """

    stamping: int = field(default=1, metadata=AT_LEAST_1)

    def active(self, server_round: int) -> bool:
        """Return whether a round is one of the attack's and this client one of those that attack."""
        return super().active(server_round) and self.attacker < self.stamping

    def poison_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Stamp the whole trigger on the first images of a (shuffled) batch and relabel them."""
        return self.stamp_first(images, labels, None)
