"""Robust and performance-aware aggregation of client updates, and Flower strategies that do it.

``PAwBRoFL`` is the strategy for ``aggregate_fit`` projects, ``message.PAwBRoFL`` the one for the Message
API; ``FairAveraging`` runs the fair aggregators of ``fairness``, to compare with. Everything else needs
NumPy and SciPy only, as Flower is imported with a strategy when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .aggregation import Aggregation, aggregate, robust_mean
from .diagnostics import ClientDiagnostics, RoundDiagnostics, diagnostics_table
from .loss_gap import LossGap, measure_loss_gap
from .mu_schedule import CosineMu, EffectiveClients, ExponentialMu, LinearMu, MuSchedule
from .performance_aware import PerformanceAware
from .scale_free_tilt import ScaleFreeTilt
from .server_optimizers import Adam, Momentum, ServerOptimizer
from .tilt import Tilt
from .weightings import (
    FLAME,
    WEIGHTINGS,
    Bucketing,
    BulyanSelection,
    CenteredClipping,
    CoalitionFiltering,
    DivideAndConquer,
    Filtering,
    FLDetector,
    FLTrust,
    FoolsGold,
    GeometricMedian,
    HedgedNoRegret,
    Mean,
    MultiKrum,
    NearestNeighborMixing,
    NoRegret,
    NormClipping,
    SignGuard,
    Weighting,
)

if TYPE_CHECKING:
    from . import message
    from .fair_averaging import FairAveraging
    from .pawbrofl import PAwBRoFL

__version__ = "0.1.0"
"""That of pyproject.toml."""

__all__ = [
    "FLAME",
    "WEIGHTINGS",
    "Adam",
    "Aggregation",
    "Bucketing",
    "BulyanSelection",
    "CenteredClipping",
    "ClientDiagnostics",
    "CoalitionFiltering",
    "CosineMu",
    "DivideAndConquer",
    "EffectiveClients",
    "ExponentialMu",
    "FLDetector",
    "FLTrust",
    "FairAveraging",
    "Filtering",
    "FoolsGold",
    "GeometricMedian",
    "HedgedNoRegret",
    "LinearMu",
    "LossGap",
    "Mean",
    "Momentum",
    "MuSchedule",
    "MultiKrum",
    "NearestNeighborMixing",
    "NoRegret",
    "NormClipping",
    "PAwBRoFL",
    "PerformanceAware",
    "RoundDiagnostics",
    "ScaleFreeTilt",
    "ServerOptimizer",
    "SignGuard",
    "Tilt",
    "Weighting",
    "aggregate",
    "diagnostics_table",
    "measure_loss_gap",
    "message",
    "robust_mean",
]


if not TYPE_CHECKING:  # a type checker shall know what there is not

    def __getattr__(name: str) -> Any:
        if name == "PAwBRoFL":
            return import_module(".pawbrofl", __name__).PAwBRoFL
        if name == "FairAveraging":
            return import_module(".fair_averaging", __name__).FairAveraging
        if name == "message":
            return import_module(".message", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
