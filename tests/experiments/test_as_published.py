"""The departures of the authors' code, each seen for what it does; the comparison with its curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from attacks import Backdoor
from attacks.backdoors.erased_corner import CornerTrigger
from experiments.as_published.corrections import corrections_table
from experiments.as_published.departures import (
    DEPARTURES,
    InvalidDepartures,
    PublishedTilt,
    departures_named,
    evaluate_all_images,
    published_method,
)
from experiments.as_published.published_comparison import (
    MEASURES,
    agreement_table,
    beside_published,
    draw,
    points_table,
    published_curves,
    with_vanilla_everywhere,
)
from experiments.as_published.published_run import run
from experiments.as_published.published_weightings import PublishedNoRegret
from experiments.grid.study import InvalidStudy, Study
from pawbrofl_app.method import method_of
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.networks import initial_model
from strategies import PerformanceAware, aggregate
from tests.strategies.test_golden_cases import GoldenCase, golden_paths

EVEN = np.full(10, 0.1)
GAPS = np.linspace(0, 0.9, 10)


def tilt(**options: Any) -> PublishedTilt:
    return PublishedTilt(mu=0.5, bound_reports=False, **options)


def test_without_any_departure_the_tilt_is_equation_8() -> None:
    exact = PerformanceAware(mu=0.5, bound_reports=False)
    np.testing.assert_array_equal(tilt()(EVEN, GAPS), exact(EVEN, GAPS))


def test_even_weights_count_as_ones_and_filtered_ones_as_they_are() -> None:
    exact = PerformanceAware(mu=0.5, bound_reports=False)
    as_ones = PerformanceAware(mu=0.05, bound_reports=False)
    np.testing.assert_allclose(tilt(unnormalised=True)(EVEN, GAPS), as_ones(EVEN, GAPS))
    filtered = GAPS / GAPS.sum()
    np.testing.assert_allclose(tilt(unnormalised=True)(filtered, GAPS), exact(filtered, GAPS))


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("path", golden_paths())
def test_the_unnormalised_tilt_is_that_of_the_authors_code(path: Path) -> None:
    case = GoldenCase.load(path)
    if case.gaps is None:
        pytest.skip("recorded without a tilt")
    published = PublishedTilt(mu=float(case.kwargs["mu"]), bound_reports=False, unnormalised=True)
    for j in range(case.num_blocks):
        block = case.block(j)
        result = aggregate(case.samples[:, block], case.weighting(), case.gaps, published)
        expected = case.expected[block] * case.without_guard(j, result.robust_weights)
        np.testing.assert_allclose(result.mean, expected, rtol=1e-6, atol=case.tolerance)


def test_gaps_go_to_random_clients_anew_in_every_round_and_only_to_those_that_are_there() -> None:
    shuffling = tilt(gap_order_seed=3)
    first, second = shuffling.at_round(1), shuffling.at_round(2)
    own = tilt()(EVEN, GAPS)
    np.testing.assert_allclose(sorted(first(EVEN, GAPS)), sorted(own))
    assert not np.array_equal(first(EVEN, GAPS), own)
    assert not np.array_equal(first(EVEN, GAPS), second(EVEN, GAPS))
    order = np.random.default_rng(0).permutation(10)
    np.testing.assert_array_equal(first(EVEN, GAPS[order], order), first(EVEN, GAPS)[order])
    there = np.array([1, 4, 5, 9])
    given = first(EVEN[there], GAPS[there], there)
    np.testing.assert_allclose(sorted(given), sorted(tilt()(EVEN[there], GAPS[there])))


def test_attack_success_counts_the_target_class_too() -> None:
    model = initial_model(0)
    images, labels = torch.rand(50, 1, 28, 28), torch.arange(50) % 10
    predicted = int(model(CornerTrigger().stamp(images)).argmax(dim=1).mode().values)
    hits = model(CornerTrigger().stamp(images)).argmax(dim=1) == predicted
    evaluation = evaluate_all_images(model, images, labels, Backdoor(CornerTrigger(), predicted))
    assert evaluation.attack_success_rate == pytest.approx(float(hits.double().mean()))


def test_each_departure_changes_what_it_names(defaults: dict[str, Any]) -> None:
    config = RunConfig.parse(defaults | {"aggregator": "no-regret", "performance-aware": True})
    assert published_method(config, departures_named("none")) == method_of(config)
    assert published_method(config, frozenset({"weightings"})).weighting == PublishedNoRegret(0.2)
    everything = published_method(config, departures_named("all"))
    assert everything.evaluate is evaluate_all_images
    assert isinstance(everything.performance, PublishedTilt)
    assert everything.performance.unnormalised
    assert everything.performance.gap_order_seed == config.seed


def test_departures_are_named_or_refused() -> None:
    assert departures_named("all") == frozenset(DEPARTURES)
    assert departures_named("gap-order, weightings") == {"gap-order", "weightings"}
    with pytest.raises(InvalidDepartures, match=r"'all', 'none' or some of gap-order.*got 'gaps'"):
        departures_named("gaps")


def test_a_study_varies_departures_as_it_does_settings(tmp_path: Path) -> None:
    file = tmp_path / "corrections.toml"
    module = 'run = "experiments.as_published.published_run"\n'
    file.write_text(module + '[[grid]]\ndepartures = ["all", "none"]\n')
    published, corrected = Study.load(str(file)).cells
    assert (published.extra, corrected.extra) == ({"departures": "all"}, {"departures": "none"})
    assert published.config == corrected.config
    assert published.name.split("-")[-1] != corrected.name.split("-")[-1]
    file.write_text(module + '[[grid]]\ndepartures = ["gaps"]\n')
    with pytest.raises(InvalidStudy, match="got 'gaps'"):
        Study.load(str(file))
    file.write_text('[[grid]]\ndepartures = ["all"]\n')
    with pytest.raises(InvalidStudy, match="unknown setting 'departures'"):
        Study.load(str(file))


@pytest.mark.slow
def test_a_run_follows_the_departures_to_its_records(defaults: dict[str, Any], tmp_path: Path) -> None:
    small = {"network": "perceptron", "num-clients": 5, "num-rounds": 1, "local-epochs": 1}
    given = {"attack": "erased-corner", "aggregator": "no-regret", "figures": False}
    config = RunConfig.parse(defaults | small | given)
    weights = {}
    for departures in ("none", "all"):
        folder = tmp_path / departures
        run(config.replace(results_dir=str(folder)), {"departures": departures})
        weights[departures] = RunFolder(folder).clients["weight"]
        assert weights[departures].sum() > 0
    assert not np.allclose(weights["none"], weights["all"])


def made_up_rounds(shift: float) -> pd.DataFrame:
    """Runs of two seeds that are the published no-attack curve, one seed a point above it."""
    published = published_curves()
    curve = published[(published["attack"] == "no attack") & (published["method"] == "vanilla FL")]
    runs = []
    for seed in (1, 2):
        rounds = pd.DataFrame(
            {
                "attack": "none",
                "aggregator": "mean",
                "method": "vanilla FL",
                "seed": seed,
                "round": curve["round"],
                "test_accuracy": (curve["published"] + shift + 0.5 * (2 * seed - 3)) / 100,
                "attack_success_rate": 0.0,
            }
        )
        runs.append(rounds)
    return pd.concat(runs, ignore_index=True)


@pytest.mark.parametrize(("shift", "explained"), [(0.0, True), (30.0, False)])
def test_a_difference_beyond_what_seeds_explain_is_named(shift: float, explained: bool) -> None:
    runs = with_vanilla_everywhere(made_up_rounds(shift))
    points = beside_published(runs, published_curves())
    accuracy = points[points["measure"] == "test_accuracy_percent"]
    assert len(accuracy) >= 5
    np.testing.assert_allclose(accuracy["difference"], shift, atol=1e-9)
    np.testing.assert_allclose(accuracy["deviation"], np.sqrt(0.5))
    assert (accuracy["explained"] == explained).all()
    assert f"| {accuracy['explained'].sum()} of {len(accuracy)} |" in agreement_table(points)


def test_one_seed_explains_nothing() -> None:
    rounds = made_up_rounds(0.0)
    points = beside_published(rounds[rounds["seed"] == 1], published_curves())
    assert points["explained"].isna().all()
    assert "| 0 of 0 |" in agreement_table(points)
    assert "| - |" in points_table(points)


def test_seeds_that_spread_over_everything_explain_nothing() -> None:
    rounds = made_up_rounds(0.0)
    rounds["test_accuracy"] *= rounds["seed"] - 1
    points = beside_published(rounds, published_curves())
    assert (points["allowed"] > 100).any()
    assert points["explained"].isna().all()


def test_the_figure_has_a_panel_for_each_setting_and_measure() -> None:
    rounds = made_up_rounds(1.0)
    figure = draw(beside_published(rounds, published_curves()))
    assert len(figure.axes) == len(MEASURES)


def test_the_table_of_corrections_names_what_was_put_right_and_what_it_changed() -> None:
    cells = pd.DataFrame(
        [
            {
                "departures": departures,
                "attack": attack,
                "seed": seed,
                "malicious_weight": 0.1,
                "test_accuracy": 0.75 if attack == "dba" else 0.5,
                "attack_success_rate": 0.25,
            }
            for seed in (1, 2)
            for departures, attack in (
                ("all", "erased-corner"),
                ("unnormalised, weightings, all-images", "erased-corner"),
                ("all", "dba"),
                ("none", "dba"),
            )
        ]
    )
    lines = [line.split(" | ") for line in corrections_table(cells).splitlines()[2:]]
    assert [line[0].strip("| ") for line in lines] == [
        "nothing",
        "gaps in the clients' order",
        "DBA",
        "everything",
    ]
    assert [line[3] for line in lines] == ["", "+0.0, +0.0", "+25.0, +25.0", "+25.0, +25.0"]
