"""Robust weightings, one file each, and the names by which they are asked for."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..epsilon import Epsilon
from .bulyan_selection import BulyanSelection
from .centered_clipping import CenteredClipping
from .coalition_filtering import CoalitionFiltering
from .defence import Defence
from .divide_and_conquer import DivideAndConquer
from .filtering import Filtering
from .flame import FLAME
from .fldetector import FLDetector
from .fltrust import FLTrust
from .foolsgold import FoolsGold
from .geometric_median import GeometricMedian
from .hedged_no_regret import HedgedNoRegret
from .mean import Mean
from .mixing import Bucketing, NearestNeighborMixing
from .multi_krum import MultiKrum
from .no_regret import NoRegret
from .norm_clipping import NormClipping
from .signguard import SignGuard
from .weighting import Weighting

WEIGHTINGS: dict[str, type[Weighting]] = {
    "mean": Mean,
    "coalition-filtering": CoalitionFiltering,
    "filtering": Filtering,
    "no-regret": NoRegret,
    "hedged-no-regret": HedgedNoRegret,
    "multi-krum": MultiKrum,
    "geometric-median": GeometricMedian,
    "centered-clipping": CenteredClipping,
    "norm-clipping": NormClipping,
    "dnc": DivideAndConquer,
    "bulyan-selection": BulyanSelection,
    "signguard": SignGuard,
    "flame": FLAME,
    "foolsgold": FoolsGold,
    "fldetector": FLDetector,
}

NEEDS_ROOT_DATA: dict[str, type[Weighting]] = {"fltrust": FLTrust}
"""The weightings that cannot do without samples of the server's own."""

PRE_AGGREGATIONS: dict[str, type[Bucketing | NearestNeighborMixing]] = {
    "nearest-neighbor-mixing": NearestNeighborMixing,
    "bucketing": Bucketing,
}
"""What averages updates before a weighting sees them."""

RECOMMENDED = "coalition-filtering"
"""The weighting of least error in every comparison under fixed attacks (docs/estimators.md)."""


def weighting_named(name: str, *, epsilon: Epsilon, **options: Any) -> Weighting:
    """Return the weighting of that name.

    Epsilon goes to the weightings that have one; the others withstand any minority, or none.

    Raises
    ------
    ValueError
        For a name that is none of `WEIGHTINGS`, or an option that the weighting does not have.
    """
    kind: Any = (WEIGHTINGS | NEEDS_ROOT_DATA).get(name)
    if kind is None:
        raise ValueError(f"method must be one of {', '.join(WEIGHTINGS)}, got {name!r}")
    known = {field.name for field in fields(kind)}
    if "epsilon" in known:
        options["epsilon"] = epsilon
    unknown = sorted(set(options) - known)
    if unknown:
        raise ValueError(
            f"options of {name!r} must be among {', '.join(sorted(known)) or 'none'}, "
            f"got {', '.join(unknown)}"
        )
    weighting: Weighting = kind(**options)
    return weighting


__all__ = [
    "FLAME",
    "NEEDS_ROOT_DATA",
    "PRE_AGGREGATIONS",
    "RECOMMENDED",
    "WEIGHTINGS",
    "Bucketing",
    "BulyanSelection",
    "CenteredClipping",
    "CoalitionFiltering",
    "Defence",
    "DivideAndConquer",
    "FLDetector",
    "FLTrust",
    "Filtering",
    "FoolsGold",
    "GeometricMedian",
    "HedgedNoRegret",
    "Mean",
    "MultiKrum",
    "NearestNeighborMixing",
    "NoRegret",
    "NormClipping",
    "SignGuard",
    "Weighting",
    "weighting_named",
]
