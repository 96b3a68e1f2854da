"""Settings of the robust aggregation: which weighting, and what it must withstand."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from strategies.weightings import PRE_AGGREGATIONS, WEIGHTINGS

from ..baselines import BASELINES
from .setting import SECTION, Number, Text, WholeNumber, invalid, one_of


@dataclass(frozen=True, config=SECTION)
class AggregationSettings:
    """Which weighting, and what it must withstand."""

    aggregator: Annotated[Text, one_of((*WEIGHTINGS, *BASELINES))] = "coalition-filtering"
    """The weighting: "mean" (no defence), "coalition-filtering" (recommended), "filtering", "no-regret",
    "multi-krum", "geometric-median" or "centered-clipping"; or to compare with, without any tilt,
    Flower's "fed-median" or "fed-trimmed-avg"."""
    pre_aggregation: Annotated[Text, one_of(("none", *PRE_AGGREGATIONS))] = "none"
    """Average updates before the aggregator sees them: "none", "nearest-neighbor-mixing" (each with
    those nearest to it) or "bucketing" (random groups of bucket-size). Meant for clients whose data
    differ much."""
    bucket_size: WholeNumber = Field(default=2, ge=1)
    """Updates in a group of "bucketing"."""
    epsilon: Number = Field(default=0.2, ge=0, lt=0.5)
    """The fraction of malicious clients to withstand, below 0.5."""

    @model_validator(mode="after")
    def _check_pre_aggregation(self) -> Self:
        if self.pre_aggregation != "none" and self.aggregator in BASELINES:
            allowed = f"none with aggregator {self.aggregator!r}"
            raise invalid("pre-aggregation", allowed, self.pre_aggregation)
        if self.pre_aggregation == "bucketing" and self.bucket_size * self.epsilon >= 0.5:
            allowed = (
                f"below {0.5 / self.bucket_size:g} with buckets of {self.bucket_size}, as one malicious "
                "update spoils its whole bucket"
            )
            raise invalid("epsilon", allowed, self.epsilon)
        return self
