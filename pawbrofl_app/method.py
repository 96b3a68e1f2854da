"""How a run aggregates and evaluates: by its settings, unless an experiment says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks import Backdoor
from attacks.named_object import is_own
from strategies import (
    Bucketing,
    NearestNeighborMixing,
    PerformanceAware,
    ScaleFreeTilt,
    Tilt,
    Weighting,
)
from strategies.fairness import FairWeighting, fair_weighting_named, is_fair
from strategies.mu_schedule import MU_SCHEDULES, EffectiveClients, MuSchedule
from strategies.vouching import NOBODY, Vouching
from strategies.weightings import weighting_named

from .settings.aggregation_settings import BASELINES, AggregationSettings, own_weighting
from .settings.run_config import RunConfig
from .settings.tilt_settings import TiltSettings
from .tasks.evaluation import Evaluation, evaluate

Groups = Mapping[str, NDArray[np.bool_]] | None
Evaluate = Callable[[nn.Module, Tensor, Tensor, Backdoor | None, Groups], Evaluation]


@dataclass(frozen=True)
class Method:
    """What the server does with replies and with the model they make.

    Attributes
    ----------
    weighting : Weighting or None
        Finds the robust weights. None where the aggregator is a fair one or Flower's own.
    performance : Tilt or None
        The tilt, if any.
    evaluate : callable
        As `evaluation.evaluate`.
    fair : FairWeighting or None
        Finds fair weights in place of robust ones.
    vouching : Vouching
        Whom somebody vouches for; nobody, unless the federation's names can be relied on.
    """

    weighting: Weighting | None
    performance: Tilt | None
    evaluate: Evaluate = evaluate
    fair: FairWeighting | None = None
    vouching: Vouching = NOBODY


def method_of(config: RunConfig) -> Method:
    """Return the method that the settings describe."""
    aggregation = config.aggregation
    if aggregation.aggregator in BASELINES:
        return Method(None, None)
    if is_fair(aggregation.aggregator):
        rate = config.training.learning_rate
        return Method(None, None, fair=fair_weighting_named(aggregation.aggregator, learning_rate=rate))
    tilt = tilt_of(config.tilt, aggregation.epsilon, config.federation.num_rounds)
    return Method(weighting_of(aggregation, config.seed), tilt)


def weighting_of(aggregation: AggregationSettings, seed: int) -> Weighting:
    """Return the weighting, wrapped in what averages updates before it sees them.

    A bucket with one malicious update is malicious, so behind buckets the weighting withstands
    ``bucket_size`` times the fraction.
    """
    name, epsilon = aggregation.aggregator, aggregation.epsilon
    if aggregation.pre_aggregation == "bucketing":
        inner = _weighting(name, aggregation.bucket_size * epsilon)
        return Bucketing(inner, aggregation.bucket_size, seed)
    weighting = _weighting(name, epsilon)
    if aggregation.pre_aggregation == "nearest-neighbor-mixing":
        return NearestNeighborMixing(weighting, epsilon)
    return weighting


def _weighting(name: str, epsilon: float) -> Weighting:
    return own_weighting(name, epsilon) if is_own(name) else weighting_named(name, epsilon=epsilon)


def tilt_of(tilt: TiltSettings, epsilon: float, num_rounds: int) -> Tilt | None:
    """Return the tilt, or None where weights shall be robust only."""
    if not tilt.performance_aware:
        return None
    if tilt.tilt == "scale-free":
        return ScaleFreeTilt(max_tilt=tilt.max_tilt)
    return PerformanceAware(
        mu=_mu(tilt, num_rounds),
        epsilon=epsilon,
        bound_reports=tilt.bound_reports,
        max_tilt=tilt.max_tilt,
        preferences=tilt.preference_of_client or None,
    )


def _mu(tilt: TiltSettings, num_rounds: int) -> float | MuSchedule | EffectiveClients:
    if tilt.mu_schedule == "constant":
        return tilt.mu
    if tilt.mu_schedule == "effective-clients":
        return EffectiveClients(tilt.effective_clients)
    return MU_SCHEDULES[tilt.mu_schedule](tilt.mu, tilt.mu_end, num_rounds)
