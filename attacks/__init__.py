"""What malicious clients do: to their data, to their updates, to their reports.

`ATTACKS` holds all of them by name. An attack never knows which aggregation defends.
"""

from __future__ import annotations

from .attack import Attack
from .backdoors.distributed import DistributedBackdoor
from .backdoors.trigger import BackdoorTrigger
from .combined import CombinedAttack
from .knowledge import HonestTraining, Knowledge
from .parsing import NO_ATTACK, make_attack
from .registry import ATTACKS

__all__ = [
    "ATTACKS",
    "NO_ATTACK",
    "Attack",
    "BackdoorTrigger",
    "CombinedAttack",
    "DistributedBackdoor",
    "HonestTraining",
    "Knowledge",
    "make_attack",
]
