"""Robust and performance-aware aggregation of client updates, and Flower strategies that do it.

``aggregate`` and ``robust_mean`` need NumPy and SciPy only; ``PAwBRoFL`` is imported with Flower when
it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .aggregation import Aggregation, aggregate, robust_mean
from .mu_schedule import CosineMu, EffectiveClients, ExponentialMu, LinearMu, MuSchedule
from .performance_aware import PerformanceAware
from .weightings import WEIGHTINGS, Filtering, Mean, NoRegret, Weighting

if TYPE_CHECKING:
    from .pawbrofl import PAwBRoFL

__all__ = [
    "WEIGHTINGS",
    "Aggregation",
    "CosineMu",
    "EffectiveClients",
    "ExponentialMu",
    "Filtering",
    "LinearMu",
    "Mean",
    "MuSchedule",
    "NoRegret",
    "PAwBRoFL",
    "PerformanceAware",
    "Weighting",
    "aggregate",
    "robust_mean",
]


def __getattr__(name: str) -> Any:
    if name == "PAwBRoFL":
        from .pawbrofl import PAwBRoFL

        return PAwBRoFL
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
