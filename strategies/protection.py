"""What no weighting can protect a round against, so that the log claims nothing that it cannot know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .replies.client_replies import EncodedReply
from .weightings import Mean, Weighting

FEWEST_UPDATES = 3
"""Of two that differ, nothing tells which is malicious; of three, one far out is recognised."""

TOO_FEW = f"at least {FEWEST_UPDATES} updates are needed to tell whether one of them is malicious"
ALIKE = "all updates are bit for bit the same, as by secure aggregation or from clients without training"
NO_DEFENCE = "a plain mean withstands nobody"
NOT_ENOUGH = "of so few updates, more than half might be malicious: the model is kept"
FAILED = "aggregating the updates failed"


@dataclass(frozen=True)
class Protection:
    """Whether malicious clients could be told from honest ones in a round.

    Attributes
    ----------
    missing : str
        Why they could not; empty where they could.
    num_far_apart : int
        How many updates counted though they are far from most others: more than epsilon allows for may
        be malicious.
    """

    missing: str = ""
    num_far_apart: int = 0

    @property
    def is_surprising(self) -> bool:
        """Whether whoever runs the federation should be warned."""
        return self.missing in (TOO_FEW, ALIKE) or (not self.missing and self.num_far_apart > 0)


def missing_protection(updates: Sequence[EncodedReply], weighting: Weighting, *, enough: bool) -> str:
    """Return why malicious clients cannot be told from honest ones among these updates, if so.

    Parameters
    ----------
    updates : sequence of EncodedReply
        All that can be aggregated.
    weighting : Weighting
    enough : bool
        Whether they are so many that malicious clients are a minority.
    """
    if not enough:
        return NOT_ENOUGH
    if isinstance(weighting, Mean):
        return NO_DEFENCE
    if len(updates) < FEWEST_UPDATES:
        return TOO_FEW
    first = list(updates[0].tensors)
    return ALIKE if all(list(update.tensors) == first for update in updates) else ""
