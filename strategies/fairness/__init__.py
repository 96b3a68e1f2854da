"""Fair aggregators of the literature, one file each, to compare with; none of them is robust."""

from __future__ import annotations

from .agnostic import AgnosticFL
from .by_name import FAIR_WEIGHTINGS, fair_weighting_named, is_fair
from .fair_weighting import FairWeighting
from .fed_mgda_plus import FedMGDAPlus
from .prop_fair import PropFair
from .q_ffl import QFFL
from .tilted import TiltedERM

__all__ = [
    "FAIR_WEIGHTINGS",
    "QFFL",
    "AgnosticFL",
    "FairWeighting",
    "FedMGDAPlus",
    "PropFair",
    "TiltedERM",
    "fair_weighting_named",
    "is_fair",
]
