"""The benchmark's cells, and the verdicts that its page draws from recorded numbers."""

from __future__ import annotations

import pandas as pd
import pytest

from experiments.grid.study import Study
from experiments.pages.robust_and_fair import compact
from experiments.pages.robust_and_fair_aims import (
    AIMS,
    ATTACKS,
    MINORITIES,
    RECOMMENDED,
    Means,
    aims_reached,
)

SEEDS = 2


@pytest.fixture(scope="module")
def benchmark() -> Study:
    return Study.load("robust-and-fair", SEEDS)


def test_whole_seeds_come_first(benchmark: Study) -> None:
    seeds = [cell.config.seed for cell in benchmark.cells]
    assert seeds == sorted(seeds)
    assert {seeds.count(seed) for seed in seeds} == {len(seeds) // SEEDS}


def test_half_of_the_minority_is_vouched_for_where_there_is_one(benchmark: Study) -> None:
    vouched = [cell.config for cell in benchmark.cells if cell.config.aggregation.vouched]
    assert {config.data.minority for config in vouched} == set(MINORITIES)
    for config in vouched:
        names = {int(client) for client in config.aggregation.vouched.split(",")}
        assert len(names) == 2
        assert names < set(config.minority_clients)


def test_a_row_names_method_and_setting(benchmark: Study) -> None:
    measures = dict.fromkeys(benchmark.measures, 0.5) | {"majority_accuracy": float("nan")}
    cells = pd.DataFrame([cell.varied | {"seed": 1} | measures for cell in benchmark.cells[::7]])
    recorded = compact(cells)
    assert {"FedAvg", "FedAvg + Ditto", "default + tilt + branches", "No-Regret + vouched"} <= set(
        recorded["method"]
    )
    assert set(recorded["setting"]) == {"none", "dirichlet", *MINORITIES}
    assert (recorded["majority"] == 0.5).all(), "without a minority it is the main model's accuracy"


def runs_of(**recommended: float) -> pd.DataFrame:
    fine = {"majority": 0.9, "minority": 0.8, "worst_honest": 0.7, "attack_success": 0.0}
    rows = [
        {"method": method, "setting": setting, "attack": attack, "seed": seed}
        | {"false_accusations": 0.0}
        | fine
        | (recommended if method == RECOMMENDED and attack == "stealthy-dba" else {})
        for method in ("FedAvg", "default", RECOMMENDED)
        for setting in ("none", "dirichlet", *MINORITIES)
        for attack in ATTACKS
        for seed in (1, 2)
    ]
    return pd.DataFrame(rows)


def test_aims_are_reached_where_every_number_is() -> None:
    text = aims_reached(runs_of())
    assert "not reached" not in text
    assert text.count("**reached**") == len(AIMS)


@pytest.mark.parametrize("worse", [{"attack_success": 0.03}, {"minority": 0.79}])
def test_one_number_amiss_is_an_aim_not_reached(worse: dict[str, float]) -> None:
    runs = runs_of(**worse)
    checks = list(AIMS["honest minority and attackers"](Means.of(runs), RECOMMENDED))
    missed = [check for check in checks if not check.holds]
    assert [check.where for check in missed] == [
        f"{title}, stealthy DBA" for title in MINORITIES.values()
    ]
    assert f"**not reached** in {len(missed)} of {len(checks)}" in aims_reached(runs)
