"""What malicious clients do: to their data, to their updates, to their reports.

An attack never knows which aggregation defends.
"""

from __future__ import annotations

from .attack import Attack
from .backdoor_trigger import BackdoorTrigger
from .distributed_backdoor import DistributedBackdoor

__all__ = ["Attack", "BackdoorTrigger", "DistributedBackdoor"]
