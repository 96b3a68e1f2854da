"""Fair aggregators of the literature, one file each, to compare with; none of them is robust."""

from __future__ import annotations

from .agnostic import AgnosticFL
from .fair_weighting import FairWeighting
from .fed_mgda_plus import FedMGDAPlus
from .prop_fair import PropFair
from .q_ffl import QFFL
from .tilted import TiltedERM

FAIR_WEIGHTINGS: dict[str, type[FairWeighting]] = {
    "q-ffl": QFFL,
    "afl": AgnosticFL,
    "term": TiltedERM,
    "fed-mgda-plus": FedMGDAPlus,
    "prop-fair": PropFair,
}

__all__ = [
    "FAIR_WEIGHTINGS",
    "QFFL",
    "AgnosticFL",
    "FairWeighting",
    "FedMGDAPlus",
    "PropFair",
    "TiltedERM",
]
