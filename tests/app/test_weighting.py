"""The weighting that settings describe, with and without averaging before it."""

from __future__ import annotations

from typing import Any

import pytest

from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.weighting import weighting_of
from strategies import Bucketing, Filtering, Mean, NearestNeighborMixing


def test_without_pre_aggregation_it_is_the_aggregator(defaults: dict[str, Any]) -> None:
    settings = defaults | {"aggregator": "filtering", "epsilon": 0.1}
    assert weighting_of(RunConfig.parse(settings)) == Filtering(epsilon=0.1)


def test_mixing_and_the_weighting_behind_it_withstand_epsilon(defaults: dict[str, Any]) -> None:
    mixing = {"pre-aggregation": "nearest-neighbor-mixing", "epsilon": 0.3}
    settings = defaults | mixing | {"aggregator": "filtering"}
    expected = NearestNeighborMixing(Filtering(epsilon=0.3), epsilon=0.3)
    assert weighting_of(RunConfig.parse(settings)) == expected
    settings = defaults | mixing | {"aggregator": "mean"}
    assert weighting_of(RunConfig.parse(settings)) == NearestNeighborMixing(Mean(), epsilon=0.3)


def test_behind_buckets_the_weighting_withstands_as_many_times_more(defaults: dict[str, Any]) -> None:
    bucketing = {"pre-aggregation": "bucketing", "bucket-size": 3, "epsilon": 0.15, "seed": 5}
    config = RunConfig.parse(defaults | bucketing | {"aggregator": "filtering"})
    weighting = weighting_of(config)
    assert isinstance(weighting, Bucketing)
    assert weighting.weighting == Filtering(epsilon=3 * 0.15)
    assert (weighting.bucket_size, weighting.seed) == (3, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pre-aggregation": "nnm"}, "must be one of none, nearest-neighbor-mixing, bucketing"),
        (
            {"pre-aggregation": "bucketing", "aggregator": "fed-median"},
            "pre-aggregation must be none with aggregator 'fed-median', got 'bucketing'",
        ),
        (
            {"pre-aggregation": "bucketing", "epsilon": 0.25},
            "epsilon must be below 0.25 with buckets of 2",
        ),
        ({"bucket-size": 0}, "bucket-size must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_done_is_named(
    defaults: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidSetting) as error:
        RunConfig.parse(defaults | settings)
    assert message in str(error.value)
