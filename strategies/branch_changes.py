"""What a round changed in branches, in words for log and records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .branch_state import MAIN, BranchState
from .diagnostics import BranchChange, BranchDiagnostics
from .replies.client_replies import ClientReply


def branch_changes(
    before: BranchState,
    after: BranchState,
    replies: Sequence[ClientReply],
    models: NDArray[np.intp],
    left_out_since: Mapping[str, int],
) -> BranchDiagnostics:
    """Return who is given another branch and why, in the replies' order, and what opened and closed.

    Parameters
    ----------
    before, after : BranchState
        By node id.
    replies : sequence of m ClientReply
        Those that decided it.
    models : ndarray of shape (m,)
        The model that each of them trained.
    left_out_since : mapping of str to int
        By node id, the round from which on it was left out of the main model.
    """
    changes = []
    for reply, model in zip(replies, models.tolist(), strict=True):
        old, new = before.of(reply.node).home, after.of(reply.node).home
        if old == new:
            continue
        if new == MAIN and model == MAIN:
            reason = "what they send counts there again"
        elif new == MAIN:
            reason = "by the losses that they report, it serves them better"
        else:
            reason = "what they send is similar"
            if reply.node in left_out_since:
                reason = f"left out of the main model since round {left_out_since[reply.node]}"
        changes.append(BranchChange(reply.client, old, new, reason))
    were, are = set(before.branches()), set(after.branches())
    return BranchDiagnostics(tuple(changes), tuple(sorted(are - were)), tuple(sorted(were - are)))
