"""What malicious clients do: to their data, to their updates, to their reports.

`ATTACKS` holds all of them by name. Only those of `tailored_updates` know which aggregation defends. In
anybody's Flower project, the mod `malicious` runs them at the clients, `poisoned` changes their data,
`backdoor_success` measures a backdoor. NumPy and SciPy are all that is imported: Flower comes with the
mod, PyTorch where a trigger is stamped.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .attack import Attack
from .backdoor import Backdoor, SplitTrigger, Trigger
from .backdoor_success import backdoor_success
from .backdoors.bars import BarTrigger
from .backdoors.distributed import DistributedBackdoor
from .backdoors.features import FeatureTrigger
from .combined import CombinedAttack
from .knowledge import HonestTraining, Knowledge, TrainingReport
from .parsing import NO_ATTACK, make_attack
from .poisoned_data import poisoned
from .registry import ATTACKS

if TYPE_CHECKING:
    from .flower_mod import malicious

__all__ = [
    "ATTACKS",
    "NO_ATTACK",
    "Attack",
    "Backdoor",
    "BarTrigger",
    "CombinedAttack",
    "DistributedBackdoor",
    "FeatureTrigger",
    "HonestTraining",
    "Knowledge",
    "SplitTrigger",
    "TrainingReport",
    "Trigger",
    "backdoor_success",
    "make_attack",
    "malicious",
    "poisoned",
]


def __getattr__(name: str) -> Any:
    if name == "malicious":
        return import_module(".flower_mod", __name__).malicious
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
