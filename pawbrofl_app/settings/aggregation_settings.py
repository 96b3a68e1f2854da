"""Settings of the robust aggregation: which weighting, and what it must withstand."""

from __future__ import annotations

import math
from inspect import signature
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from attacks.named_object import is_own, named_object, split_name, with_parameters
from strategies.fairness import FAIR_WEIGHTINGS, fair_weighting_named, is_fair
from strategies.weightings import (
    NEEDS_ROOT_DATA,
    PRE_AGGREGATIONS,
    WEIGHTINGS,
    Defence,
    Weighting,
)

from .setting import SECTION, InvalidSetting, Number, Text, WholeNumber, invalid, one_of

BASELINES = ("fed-median", "fed-trimmed-avg")
"""The names in `baselines`, which imports Flower: settings are refused without waiting for that."""


def _check_aggregator(name: str) -> str:
    if is_own(name):
        try:
            own_weighting(name, 0.2)
        except ValueError as problem:
            raise InvalidSetting(f"aggregator {problem}") from None
    elif is_fair(name):
        try:
            fair_weighting_named(name)
        except ValueError as problem:
            raise InvalidSetting(f"aggregator {problem}") from None
    elif name not in (*WEIGHTINGS, *NEEDS_ROOT_DATA, *BASELINES):
        known = (*WEIGHTINGS, *NEEDS_ROOT_DATA, *BASELINES, *FAIR_WEIGHTINGS)
        raise ValueError(f"one of {', '.join(known)}")
    return name


def own_weighting(text: str, epsilon: float) -> Weighting:
    """Return a weighting of somebody's own, ``module:class``, with parameters in brackets where wanted.

    Raises
    ------
    ValueError
        Where there is none, or what it makes of five updates are no weights.
    """
    name, given = split_name(text)
    make = named_object(name)
    if not (isinstance(make, type) and issubclass(make, Weighting)):
        raise ValueError(f"{name!r} must be a class that inherits from strategies.weightings.Weighting")
    parameters = with_parameters(make, given)
    if "epsilon" in signature(make).parameters:
        parameters.setdefault("epsilon", epsilon)
    try:
        weighting = make(**parameters)
        q = np.asarray(weighting(np.eye(5)), dtype=np.float64)
    except Exception as problem:  # whatever a class of somebody's own raises
        raise ValueError(f"{text!r} raises {type(problem).__name__}: {problem}") from problem
    if q.shape != (5,) or not (q >= 0).all() or not math.isclose(q.sum(), 1, abs_tol=1e-6):
        raise ValueError(
            f"{text!r} must return a weight of at least 0 for each update, with a sum of 1, got {q} "
            "for five"
        )
    return weighting


OF_THE_MINORITY = "minority="
"""What ``vouched`` begins with where it is so many clients of a simulated minority."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _check_vouched(text: str) -> str:
    names = _names(text.removeprefix(OF_THE_MINORITY))
    whole = all(name.isdecimal() and str(int(name)) == name for name in names)
    number = len(names) == 1 and names[0] != "0" if text.startswith(OF_THE_MINORITY) else True
    if whole and number and len(set(names)) == len(names):
        return text
    raise ValueError("such as '3, 7', whole numbers, each once, or 'minority=1'")


@dataclass(frozen=True, config=SECTION)
class AggregationSettings:
    """Which weighting, and what it must withstand."""

    aggregator: Annotated[Text, AfterValidator(_check_aggregator)] = "coalition-filtering"
    """The weighting: "mean" (no defence), "coalition-filtering" (recommended), "filtering", "no-regret",
    "multi-krum", "geometric-median" or "centered-clipping"; the field's "norm-clipping", "dnc",
    "bulyan-selection", "signguard", "flame", "foolsgold", "fldetector" and, with root-data, "fltrust";
    or to compare with, without any tilt, Flower's "fed-median" or "fed-trimmed-avg", or the fair but not
    robust "q-ffl", "afl", "term", "fed-mgda-plus" or "prop-fair", with parameters in brackets:
    "q-ffl(q=5)"; or your own, "my_module:MyWeighting": docs/your_own.md."""
    pre_aggregation: Annotated[Text, one_of(("none", *PRE_AGGREGATIONS))] = "none"
    """Average updates before the aggregator sees them: "none", "nearest-neighbor-mixing" (each with
    those nearest to it) or "bucketing" (random groups of bucket-size). Meant for clients whose data
    differ much."""
    bucket_size: WholeNumber = Field(default=2, ge=1)
    """Updates in a group of "bucketing"."""
    epsilon: Number = Field(default=0.2, ge=0, lt=0.5)
    """The fraction of malicious clients to withstand, below 0.5."""
    branches: WholeNumber = Field(default=0, ge=0)
    """How many groups of clients that are left out are given a branch of the model of their own; 0 for
    none."""
    vouched: Annotated[Text, AfterValidator(_check_vouched)] = ""
    """Clients that somebody vouches for, such as "3, 7": a group that holds them is a minority, not an
    attack. Partition ids in a simulation, or "minority=1": so many of its minority, whom the seed draws.
    Of SuperNodes their node ids, as `flwr supernode list` shows them: anybody can claim a partition
    id."""

    @property
    def is_robust(self) -> bool:
        """Whether the aggregator is a weighting of this project's strategies."""
        return self.aggregator not in BASELINES and not is_fair(self.aggregator)

    @property
    def stands_alone(self) -> bool:
        """Whether nothing can wrap the aggregator, as it goes by updates as they were sent."""
        name, _ = split_name(self.aggregator)
        kind = {**WEIGHTINGS, **NEEDS_ROOT_DATA}.get(name)
        if is_own(name):
            kind = named_object(name)
        return kind is not None and issubclass(kind, Defence)

    @property
    def needs_root_data(self) -> bool:
        """Whether the aggregator cannot do without samples of the server's own."""
        return self.aggregator in NEEDS_ROOT_DATA

    @property
    def num_vouched_of_minority(self) -> int:
        """How many clients of a simulated minority are vouched for; 0 where clients are named."""
        named = not self.vouched.startswith(OF_THE_MINORITY)
        return 0 if named else int(self.vouched.removeprefix(OF_THE_MINORITY))

    @property
    def vouched_by_name(self) -> tuple[str, ...]:
        """The names of those that are vouched for by name."""
        return () if self.num_vouched_of_minority else _names(self.vouched)

    @property
    def has_epsilon(self) -> bool:
        """Whether the aggregator is meant to withstand a fraction of malicious clients."""
        return self.aggregator not in ("mean", "fed-median") and not is_fair(self.aggregator)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        not_ours = not self.is_robust or self.stands_alone
        if self.pre_aggregation != "none" and not_ours:
            allowed = f"none with aggregator {self.aggregator!r}"
            raise invalid("pre-aggregation", allowed, self.pre_aggregation)
        if self.vouched and not_ours:
            raise invalid("vouched", f"empty with aggregator {self.aggregator!r}", self.vouched)
        if self.branches and not_ours:
            raise invalid("branches", f"0 with aggregator {self.aggregator!r}", self.branches)
        if self.pre_aggregation == "bucketing" and self.bucket_size * self.epsilon >= 0.5:
            allowed = (
                f"below {0.5 / self.bucket_size:g} with buckets of {self.bucket_size}, as one malicious "
                "update spoils its whole bucket"
            )
            raise invalid("epsilon", allowed, self.epsilon)
        return self
