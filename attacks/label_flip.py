"""Label flipping: an honest update of dishonest data.

Biggio, Nelson, Laskov, "Poisoning attacks against support vector machines" (ICML 2012); in federated
learning Fang et al., "Local model poisoning attacks to Byzantine-robust federated learning" (USENIX
Security 2020), whose map of the classes this is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .attack import Attack
from .limits import AT_LEAST_2

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class LabelFlip(Attack):
    """Train class c as class ``num_classes - 1 - c``.

    Parameters
    ----------
    num_classes : int, default 10
        At least 2.
    """

    num_classes: int = field(default=10, metadata=AT_LEAST_2)

    def poison_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Flip all labels."""
        return images, self.num_classes - 1 - labels
