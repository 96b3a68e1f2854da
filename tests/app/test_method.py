"""The method that settings describe: weighting, what averages before it, tilt, and the baselines."""

from __future__ import annotations

from typing import Any

import pytest

from pawbrofl_app.baselines import BASELINES
from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.method import method_of
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from strategies import (
    Bucketing,
    CosineMu,
    EffectiveClients,
    Filtering,
    Mean,
    NearestNeighborMixing,
    PerformanceAware,
    ScaleFreeTilt,
)
from strategies.fairness import FAIR_WEIGHTINGS, QFFL, FairWeighting, FedMGDAPlus, TiltedERM


def test_without_pre_aggregation_it_is_the_aggregator(defaults: dict[str, Any]) -> None:
    settings = defaults | {"aggregator": "filtering", "epsilon": 0.1}
    assert method_of(RunConfig.parse(settings)).weighting == Filtering(epsilon=0.1)


def test_mixing_and_the_weighting_behind_it_withstand_epsilon(defaults: dict[str, Any]) -> None:
    mixing = {"pre-aggregation": "nearest-neighbor-mixing", "epsilon": 0.3}
    settings = defaults | mixing | {"aggregator": "filtering"}
    expected = NearestNeighborMixing(Filtering(epsilon=0.3), epsilon=0.3)
    assert method_of(RunConfig.parse(settings)).weighting == expected
    settings = defaults | mixing | {"aggregator": "mean"}
    assert method_of(RunConfig.parse(settings)).weighting == NearestNeighborMixing(Mean(), epsilon=0.3)


def test_behind_buckets_the_weighting_withstands_as_many_times_more(defaults: dict[str, Any]) -> None:
    bucketing = {"pre-aggregation": "bucketing", "bucket-size": 3, "epsilon": 0.15, "seed": 5}
    config = RunConfig.parse(defaults | bucketing | {"aggregator": "filtering"})
    weighting = method_of(config).weighting
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
        ({"aggregator": "fedavg"}, "aggregator must be one of mean, coalition-filtering"),
        ({"aggregator": "q-fll(q=5)"}, "fed-mgda-plus, prop-fair, got 'q-fll(q=5)'"),
        ({"aggregator": "q-ffl(q=-1)"}, "aggregator q-ffl: q must be at least 0 and finite, got -1"),
        ({"aggregator": "q-ffl(p=1)"}, "aggregator q-ffl takes each of q, learning_rate once"),
        ({"aggregator": "term(t=warm)"}, "as name=number; got 't=warm'"),
        ({"aggregator": "term(t=1"}, "such as 'q-ffl(q=5)', got 'term(t=1'"),
        (
            {"pre-aggregation": "bucketing", "aggregator": "term(t=1)"},
            "pre-aggregation must be none with aggregator 'term(t=1)', got 'bucketing'",
        ),
        ({"tilt": "free"}, "tilt must be one of performance-aware, scale-free, got 'free'"),
        (
            {"tilt": "scale-free", "bound-reports": False},
            "bound-reports must be true with tilt 'scale-free', got False",
        ),
        (
            {"tilt": "scale-free", "preferences": "3=2"},
            "preferences must be empty with tilt 'scale-free', got '3=2'",
        ),
    ],
)
def test_what_cannot_be_done_is_named(
    defaults: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidSetting) as error:
        RunConfig.parse(defaults | settings)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, PerformanceAware(mu=0.05, epsilon=0.2, max_tilt=2.0)),
        ({"performance-aware": False}, None),
        ({"mu-schedule": "cosine", "mu-end": 0.01}, PerformanceAware(CosineMu(0.05, 0.01, 20))),
        (
            {"mu-schedule": "effective-clients", "effective-clients": 7, "max-tilt": 30},
            PerformanceAware(EffectiveClients(7), max_tilt=30),
        ),
        ({"bound-reports": False, "epsilon": 0.1}, PerformanceAware(0.05, 0.1, bound_reports=False)),
        (
            {"preferences": "3=2, 11=0.5"},
            PerformanceAware(0.05, preferences={"3": 2.0, "11": 0.5}),
        ),
        ({"tilt": "scale-free"}, ScaleFreeTilt(max_tilt=2.0)),
        ({"tilt": "scale-free", "max-tilt": 4}, ScaleFreeTilt(max_tilt=4.0)),
        ({"tilt": "scale-free", "performance-aware": False}, None),
    ],
)
def test_settings_make_a_tilt(
    settings: dict[str, Any], expected: PerformanceAware | ScaleFreeTilt | None, defaults: dict[str, Any]
) -> None:
    assert method_of(RunConfig.parse(defaults | settings)).performance == expected


@pytest.mark.parametrize(
    ("aggregator", "expected"),
    [
        ("q-ffl", QFFL(1.0, learning_rate=0.02)),
        ("q-ffl(q=5, learning_rate=0.1)", QFFL(5.0, learning_rate=0.1)),
        ("term(t=2)", TiltedERM(2.0)),
        ("fed-mgda-plus", FedMGDAPlus()),
    ],
)
def test_a_fair_aggregator_takes_the_clients_learning_rate_and_no_tilt(
    aggregator: str, expected: FairWeighting, defaults: dict[str, Any]
) -> None:
    settings = {"aggregator": aggregator, "learning-rate": 0.02, "epsilon": 0.3, "tilt": "scale-free"}
    method = method_of(RunConfig.parse(defaults | settings))
    assert (method.weighting, method.performance, method.fair) == (None, None, expected)


@pytest.mark.mostly_slow(8)
@pytest.mark.parametrize(
    "settings",
    [
        *({"aggregator": name} for name in (*BASELINES, *FAIR_WEIGHTINGS, "q-ffl(q=0)")),
        {"tilt": "scale-free", "max-tilt": 4.0},
        {"mu-schedule": "exponential", "gap-measure": "validation", "preferences": "0=3"},
        {"mu-schedule": "effective-clients", "effective-clients": 5, "gap-measure": "gradient-norm"},
        {"attack": "alie+colluding-report", "omniscient-attackers": True},
        *({"aggregator": name} for name in ("flame", "signguard")),
        {"aggregator": "foolsgold", "attack": "none"},  # one attacker among alike clients takes it over
        {"aggregator": "fltrust", "root-data": 40},
        {"aggregator": "norm-clipping", "learning-threshold": 2},
    ],
    ids=str,
)
def test_they_run(settings: dict[str, Any], defaults: dict[str, Any], tmp_path: Any) -> None:
    small = {"network": "perceptron", "num-rounds": 2, "local-epochs": 1, "num-clients": 6}
    run = RunFolder(tmp_path / "run")
    out = {"figures": False, "results-dir": str(run.path)}
    run_in_this_process(RunConfig.parse(defaults | small | settings | out))
    rounds, clients = run.rounds, run.clients
    assert rounds["round"].tolist() == [0, 1, 2]
    is_slow = settings.get("aggregator") == "q-ffl"  # where losses are large, its steps are short
    assert rounds["test_accuracy"].iloc[-1] > (0.15 if is_slow else 0.2)
    assert len(clients) == 12
    weighed = settings.get("aggregator") not in BASELINES
    assert clients["weight"].notna().all() if weighed else clients["weight"].isna().all()
    assert clients["loss_gap"].notna().all()


@pytest.mark.slow
def test_a_false_loss_takes_q_ffl_over_and_leaves_the_default_as_it_is(
    defaults: dict[str, Any], tmp_path: Any
) -> None:
    small = {"network": "perceptron", "num-rounds": 1, "local-epochs": 1, "num-clients": 6}
    threat = {"attack": "free-rider+inflated-loss(factor=1000)", "figures": False}
    shares = {}
    for aggregator in ("q-ffl", "coalition-filtering"):
        run = RunFolder(tmp_path / aggregator)
        settings = defaults | small | threat | {"aggregator": aggregator}
        run_in_this_process(RunConfig.parse(settings | {"results-dir": str(run.path)}))
        clients = run.clients
        malicious = clients.loc[clients["truly_malicious"], "weight"].sum()
        shares[aggregator] = malicious / clients["weight"].sum()
    assert shares["q-ffl"] > 0.99
    assert shares["coalition-filtering"] < 0.35


def test_preferences_and_schedules_reach_the_clients_they_name(
    defaults: dict[str, Any], tmp_path: Any
) -> None:
    small = {"network": "perceptron", "num-rounds": 2, "local-epochs": 1, "num-clients": 6}
    out = {"figures": False, "results-dir": str(tmp_path / "run"), "attack": "none"}
    weak = {"aggregator": "mean", "preferences": "4=3", "mu": 1e9, "mu-end": 1e-6}
    schedule = {"mu-schedule": "linear", "max-tilt": 10.0}
    run_in_this_process(RunConfig.parse(defaults | small | out | weak | schedule))
    weights = RunFolder(tmp_path / "run").clients.pivot_table(
        index="round", columns="client", values="weight"
    )
    ratios = weights.div(weights["0"], axis=0)
    assert ratios.loc[1].tolist() == pytest.approx([1, 1, 1, 1, 3, 1])
    assert weights.loc[2, "4"] / weights.loc[2].sum() > 3 / 8 * 1.5, "the end of the schedule tilts"
