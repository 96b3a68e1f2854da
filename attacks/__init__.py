"""What malicious clients do: to their data, to their updates, to their reports.

`ATTACKS` holds all of them by name. An attack never knows which aggregation defends.
"""

from __future__ import annotations

from .attack import Attack
from .backdoor import Backdoor, Trigger
from .backdoors.bars import BarTrigger
from .backdoors.distributed import DistributedBackdoor
from .combined import CombinedAttack
from .knowledge import HonestTraining, Knowledge, TrainingReport
from .parsing import NO_ATTACK, make_attack
from .registry import ATTACKS

__all__ = [
    "ATTACKS",
    "NO_ATTACK",
    "Attack",
    "Backdoor",
    "BarTrigger",
    "CombinedAttack",
    "DistributedBackdoor",
    "HonestTraining",
    "Knowledge",
    "TrainingReport",
    "Trigger",
    "make_attack",
]
