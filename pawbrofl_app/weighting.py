"""The robust weighting that the settings describe."""

from __future__ import annotations

from strategies import Bucketing, NearestNeighborMixing, Weighting
from strategies.weightings import weighting_named

from .settings.run_config import RunConfig


def weighting_of(config: RunConfig) -> Weighting:
    """Return the weighting, wrapped in what averages updates before it sees them.

    A bucket with one malicious update is malicious, so behind buckets the weighting withstands
    ``bucket_size`` times the fraction.
    """
    if config.aggregation.pre_aggregation == "bucketing":
        inner = weighting_named(
            config.aggregation.aggregator,
            epsilon=config.aggregation.bucket_size * config.aggregation.epsilon,
        )
        return Bucketing(inner, config.aggregation.bucket_size, config.seed)
    weighting = weighting_named(config.aggregation.aggregator, epsilon=config.aggregation.epsilon)
    if config.aggregation.pre_aggregation == "nearest-neighbor-mixing":
        return NearestNeighborMixing(weighting, config.aggregation.epsilon)
    return weighting
