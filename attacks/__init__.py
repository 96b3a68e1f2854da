"""What malicious clients do: to their data, to their updates, to their reports.

`ATTACKS` holds all of them by name. An attack never knows which aggregation defends.
"""

from __future__ import annotations

from .attack import Attack
from .backdoor_trigger import BackdoorTrigger
from .combined import CombinedAttack
from .distributed_backdoor import DistributedBackdoor
from .knowledge import HonestTraining, Knowledge
from .named import NO_ATTACK, make_attack
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
