"""The attack that the mod `malicious` runs at the client which trains right now, if it is malicious.

So `poisoned` knows inside a client's own code whether to poison, and nothing need be handed through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from .attack import Attack


@dataclass
class ActiveAttack:
    """One malicious client's attack, in one round.

    Attributes
    ----------
    attack : Attack
        What is attacked with in this round.
    seed : tuple of int
        Of the draw of the samples that are poisoned.
    has_poisoned : bool
        Whether the client's code has handed its data to `poisoned`.
    """

    attack: Attack
    seed: tuple[int, ...]
    has_poisoned: bool = False


_ACTIVE: ContextVar[ActiveAttack | None] = ContextVar("active_attack", default=None)


def active_attack() -> ActiveAttack | None:
    """Return the attack of the client that runs right now; None where it is honest."""
    return _ACTIVE.get()


@contextmanager
def attacking(attack: ActiveAttack | None) -> Iterator[None]:
    """Make the body run at a client with this attack; None for an honest one."""
    token = _ACTIVE.set(attack)
    try:
        yield
    finally:
        _ACTIVE.reset(token)
