"""Settings: every default is valid, and what is wrong is named together with what is allowed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from flwr.server.strategy import FedAvg

from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.settings.toml_files import read_toml

PRESETS = sorted((Path(__file__).parents[3] / "experiments" / "presets").glob("*.toml"))


def test_the_defaults_are_valid_and_complete(defaults: dict[str, Any]) -> None:
    config = RunConfig.parse(defaults)
    assert config.as_settings() == defaults
    assert config.num_malicious == 4


@pytest.mark.parametrize("clients", [1, 3, 20, 100])
@pytest.mark.parametrize("fraction", [0.001, 0.29, 0.5, 0.999, 1.0])
def test_as_many_clients_train_as_flower_draws(
    clients: int, fraction: float, defaults: dict[str, Any]
) -> None:
    settings = {"num-clients": clients, "fraction-fit": fraction, "malicious-fraction": 0.0}
    drawn, _ = FedAvg(fraction_fit=fraction, min_fit_clients=1).num_fit_clients(clients)
    assert RunConfig.parse(defaults | settings).federation.num_fit_clients == drawn


@pytest.mark.parametrize(
    ("epsilon", "asked", "needed"), [(0.2, 20, 9), (0.2, 6, 5), (0.0, 20, 1), (0.4, 20, 17)]
)
def test_a_round_needs_more_than_twice_as_many_replies_as_may_be_malicious(
    epsilon: float, asked: int, needed: int, defaults: dict[str, Any]
) -> None:
    settings = defaults | {"epsilon": epsilon, "num-clients": asked, "malicious-fraction": 0.0}
    assert RunConfig.parse(settings).needed_replies == needed
    assert RunConfig.parse(settings | {"min-fit-clients": 3}).needed_replies == 3


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_is_valid(path: Path, defaults: dict[str, Any]) -> None:
    RunConfig.parse(defaults | read_toml(path))


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("dataset", "cifar", "dataset must be one of digits, mnist, fashion-mnist"),
        ("aggregator", "median", "aggregator must be one of mean, coalition-filtering, filtering"),
        ("partition", "iid ", "partition must be one of iid, variable, dirichlet"),
        ("partition", "patological", "(did you mean 'pathological'?)"),
        ("partition", "shards(2)", "partition must be of the form name"),
        (
            "partition",
            "shards(size=2)",
            "'shards' with other parameters: parameters are per_client; got",
        ),
        (
            "partition",
            "pathological(classes=0)",
            "'pathological' with other parameters: classes must be",
        ),
        ("partition", "pathological(classes=two)", "classes must be of type int, got 'two'"),
        ("partition", "natural(client=3)", "'natural' with other parameters: parameters are none"),
        ("partition", "dirichlet(alpha=3)", "'dirichlet' with other parameters: parameters are none"),
        ("attack", "dda", "attack must be one of none, dba"),
        ("attack", "dba+none", "attack must be one of none, dba"),
        ("attack", "dba(scale=0)", "attack dba: scale must be above 0"),
        ("attack", "sign-flip(power=2)", "sign-flip takes parameters such as name=value of first_round"),
        ("mu-schedule", "step", "mu-schedule must be one of constant, linear"),
        ("learning-threshold", -1, "learning-threshold must be at least 0"),
        ("learning-threshold", 21, "learning-threshold must be at most 20, which train in a round"),
        ("aggregator", "fltrust", "root-data must be above 0 with aggregator 'fltrust', got 0"),
        ("mu-end", 0, "mu-end must be above 0"),
        ("max-tilt", 0.5, "max-tilt must be at least 1"),
        ("effective-clients", 0.5, "effective-clients must be at least 1"),
        ("preferences", "3:2", "preferences must be such as '3=2, 7=0.5'"),
        ("preferences", "3=-1", "preferences must be such as '3=2, 7=0.5'"),
        ("vouched", "3; 7", "vouched must be such as '3, 7', whole numbers, each once, or 'minor"),
        ("vouched", "3, 3", "vouched must be such as '3, 7'"),
        ("vouched", "-1", "vouched must be such as '3, 7'"),
        ("vouched", "minority=0", "vouched must be such as '3, 7'"),
        ("vouched", "minority=1", "vouched must be of at most the 0 clients of minority 'none'"),
        (
            "gap-measure",
            "loss",
            "gap-measure must be one of training, validation, batches",
        ),
        ("validation-share", 1.0, "validation-share must be above 0 and below 1"),
        ("gap-samples", -1, "gap-samples must be at least 0"),
        (
            "personalization",
            "dito",
            "personalization must be none, or ditto with a lambda of at least 0",
        ),
        ("personalization", "ditto(mu=1)", "such as 'ditto(lambda=0.1)', got 'ditto(mu=1)'"),
        ("personalization", "ditto(lambda=-1)", "with a lambda of at least 0 in brackets"),
        ("personalization", "ditto(lambda=nan)", "with a lambda of at least 0 in brackets"),
        ("personalization", "ditto(lambda=21)", "a lambda of at most 1 / learning-rate = 20, got"),
        ("personalization", "ditto", "fraction-evaluate must be above 0 with personalization 'ditto'"),
        ("network", "resnet", "network must be one of auto, cnn, normalized-cnn, perceptron"),
        ("malicious-fraction", 0.5, "malicious-fraction must be at least 0 and below 0.5, got 0.5"),
        ("epsilon", 0.5, "epsilon must be at least 0 and below 0.5"),
        ("mu", 0.0, "mu must be above 0, got 0.0"),
        ("mu", -1, "mu must be above 0"),
        ("mu", float("nan"), "mu must be a finite number, got nan"),
        ("num-clients", 2.5, "num-clients must be a whole number, got 2.5"),
        ("num-clients", True, "num-clients must be a whole number, got True"),
        ("num-rounds", 0, "num-rounds must be at least 1"),
        ("performance-aware", "yes", "performance-aware must be true or false, got 'yes'"),
        ("fraction-fit", 0, "fraction-fit must be above 0 and at most 1"),
        ("target-label", -2, "target-label must be at least -1"),
        ("dataset", "diggits", "images, hub (did you mean 'digits'?), got"),
        ("dataset", "digits(7)", "dataset must be of the form name, module:name or either with"),
        ("attack-last-round", -1, "attack-last-round must be at least 0"),
        ("results-dir", "results", "results-dir must be an absolute path"),
    ],
)
def test_a_wrong_value_is_named_with_the_allowed_ones(
    defaults: dict[str, Any], name: str, value: object, allowed: str
) -> None:
    with pytest.raises(InvalidSetting) as error:
        RunConfig.parse(defaults | {name: value})
    assert allowed in str(error.value)


def test_rounds_of_the_attack_are_in_order(defaults: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting, match="at least attack-first-round"):
        RunConfig.parse(defaults | {"attack-first-round": 5, "attack-last-round": 4})


def test_a_misspelt_setting_is_named_with_the_nearest_known_one(defaults: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting, match="unknown setting 'epsilom': did you mean 'epsilon'"):
        RunConfig.parse(defaults | {"epsilom": 0.1})


def test_whole_numbers_may_stand_for_fractions(defaults: dict[str, Any]) -> None:
    assert RunConfig.parse(defaults | {"mu": 1}).tilt.mu == 1.0


def test_some_settings_are_changed_and_checked_anew(defaults: dict[str, Any]) -> None:
    config = RunConfig.parse(defaults).replace(mu=1, results_dir="/somewhere")
    assert config.as_settings() == defaults | {"mu": 1.0, "results-dir": "/somewhere"}
    with pytest.raises(InvalidSetting, match="min-fit-clients must be at most 20, which train"):
        config.replace(min_fit_clients=21)
    with pytest.raises(InvalidSetting, match="unknown setting 'mue': did you mean 'mu'"):
        config.replace(mue=1)


def test_the_order_of_settings_is_that_of_the_sections(defaults: dict[str, Any]) -> None:
    shuffled = dict(sorted(defaults.items()))
    assert list(RunConfig.parse(shuffled).as_settings()) == list(defaults)


def test_without_an_attack_nobody_is_malicious(defaults: dict[str, Any]) -> None:
    assert RunConfig.parse(defaults | {"attack": "none"}).num_malicious == 0


def test_settings_cannot_be_changed(defaults: dict[str, Any]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunConfig.parse(defaults).tilt.mu = 2.0  # type: ignore[misc]


DEFENCES = ["flame", "strategies.weightings.norm_clipping:NormClipping(noise=0.01)"]


@pytest.mark.parametrize("aggregator", DEFENCES)
@pytest.mark.parametrize(
    ("name", "value"),
    [("branches", 2), ("vouched", "3"), ("pre-aggregation", "bucketing"), ("block-size", 9)],
)
def test_nothing_goes_with_a_defence_that_would_wrap_it(
    aggregator: str, name: str, value: Any, defaults: dict[str, Any]
) -> None:
    with pytest.raises(InvalidSetting, match=rf"{name} must be \w+ with aggregator '{aggregator[:5]}"):
        RunConfig.parse(defaults | {"aggregator": aggregator, name: value})
    with pytest.raises(InvalidSetting, match="root-data must be 0 with aggregator"):
        RunConfig.parse(defaults | {"aggregator": aggregator, "root-data": 50})
