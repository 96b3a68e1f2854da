"""Verdicts on the paper's claims and a study's figures, from made-up runs whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from experiments.grid import study_figures
from experiments.grid.claims import findings, mean_and_interval
from experiments.grid.study_figures import (
    FAIRNESS_ROWS,
    GROUP_ROWS,
    aggregators,
    curves,
    draw_study_figures,
    figures_of,
)
from experiments.grid.table import as_markdown, over_seeds

NUM_ROUNDS = 6


def runs(
    attack: str, aggregator: str, mu: float | None, accuracy: float, success: float, seeds: int = 4
) -> pd.DataFrame:
    """Rounds of one method: a curve that ends at an accuracy, alike but for noise over the seeds."""
    rounds = np.arange(NUM_ROUNDS + 1)
    method = {("mean", True): "vanilla FL", ("no-regret", True): "vanilla BRFL"}.get(
        (aggregator, mu is None), f"PAwBRoFL mu={mu}"
    )
    return pd.concat(
        pd.DataFrame(
            {
                "dataset": "digits",
                "attack": attack,
                "aggregator": aggregator,
                "performance-aware": mu is not None,
                "mu": 0.05 if mu is None else mu,
                "seed": seed,
                "num-rounds": NUM_ROUNDS,
                "method": method,
                "round": rounds,
                "test_accuracy": accuracy * rounds / NUM_ROUNDS + 0.002 * np.sin(seed + rounds),
                "attack_success_rate": success + 0.002 * np.cos(seed + rounds),
                "largest_gap": 1.0 + rounds,
                "largest_honest_gap": 1.0,
            }
        )
        for seed in range(1, seeds + 1)
    )


def study(small_mu_accuracy: float = 0.85, seeds: int = 4) -> pd.DataFrame:
    return pd.concat(
        [
            runs("none", "mean", None, 0.9, 0.0, seeds),
            runs("none", "no-regret", None, 0.9, 0.0, seeds),
            runs("none", "no-regret", 0.01, 0.95, 0.0, seeds),
            runs("none", "no-regret", 1.0, 0.9, 0.0, seeds),
            runs("dba", "mean", None, 0.8, 0.9, seeds),
            runs("dba", "no-regret", None, 0.9, 0.2, seeds),
            runs("dba", "no-regret", 0.01, small_mu_accuracy, 0.1, seeds),
            runs("dba", "no-regret", 1.0, 0.9, 0.2, seeds),
        ],
        ignore_index=True,
    )


def verdicts(rounds: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {(f.claim, f.where): f.verdict for f in findings(rounds)}


def test_claims_that_are_true_of_the_runs_hold() -> None:
    found = verdicts(study())
    early = "without attack, some mu is better than vanilla FL in early rounds"
    assert found == {
        (early, "digits, no attack, no-regret"): "holds",
        ("large mu equals vanilla BRFL", "digits, no attack, no-regret"): "holds",
        ("large mu equals vanilla BRFL", "digits, dba, no-regret"): "holds",
        ("under attack, small mu loses a little accuracy", "digits, dba, no-regret"): "holds",
        ("attack success is lower for small mu", "digits, dba, no-regret"): "holds",
    }


def test_a_claim_that_is_false_does_not_hold_and_one_seed_decides_nothing() -> None:
    claim = ("under attack, small mu loses a little accuracy", "digits, dba, no-regret")
    assert verdicts(study(small_mu_accuracy=0.95))[claim] == "does not hold"
    assert verdicts(study(small_mu_accuracy=0.9))[claim] == "not decided"
    assert set(verdicts(study(seeds=1)).values()) == {"not decided"}


def test_claims_without_the_runs_for_them_are_left_out() -> None:
    rounds = study()
    assert findings(rounds[~rounds["performance-aware"]]) == []


def test_the_interval_is_student_s() -> None:
    mean, low, high = mean_and_interval(pd.Series([1.0, 2.0, 3.0, np.nan]))
    assert mean == 2.0
    assert [high - mean, mean - low] == pytest.approx([4.302653 / np.sqrt(3)] * 2, rel=1e-6)


@pytest.fixture
def figure_names(monkeypatch: pytest.MonkeyPatch) -> Callable[[pd.DataFrame], list[str]]:
    """What returns the names of the figures that there are of some runs, with nothing drawn in them."""
    monkeypatch.setattr(study_figures, "_grid_of_panels", lambda *_: Figure())
    return lambda rounds: [name for name, _ in figures_of(rounds)]


def test_runs_that_differ_in_another_setting_are_not_put_together(
    figure_names: Callable[[pd.DataFrame], list[str]],
) -> None:
    few, many = study(), study(small_mu_accuracy=0.95)
    few.insert(0, "epsilon", 0.2)
    many.insert(0, "epsilon", 0.4)
    found = verdicts(pd.concat([few, many], ignore_index=True))
    claim = "under attack, small mu loses a little accuracy"
    assert found[claim, "digits, epsilon=0.2, dba, no-regret"] == "holds"
    assert found[claim, "digits, epsilon=0.4, dba, no-regret"] == "does not hold"
    names = figure_names(pd.concat([few, many], ignore_index=True))
    assert names[1::3] == ["digits, epsilon=0.2-curves", "digits, epsilon=0.4-curves"]


def test_a_study_of_too_many_attacks_has_no_curves(tmp_path: Path) -> None:
    attacks = pd.concat(runs(f"attack {n}", "no-regret", None, 0.9, 0.0) for n in range(9))
    assert draw_study_figures(attacks, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_figures_are_drawn_in_light_and_dark(tmp_path: Path, dark: bool) -> None:
    paths = draw_study_figures(study(), tmp_path, dark)
    end = "-dark.png" if dark else ".png"
    kinds = ("aggregators", "curves", "trade-off")
    assert [path.name for path in paths] == [f"digits-{kind}{end}" for kind in kinds]
    for path in paths:
        pixels = imread(path)[..., :3]
        assert pixels.std() > 0.05
        assert (np.median(pixels) < 0.5) is np.bool_(dark)


NAMES = ("honest_accuracy", "worst_honest_accuracy", "worst_honest_loss", "honest_loss_variance")


def test_how_clients_are_served_is_drawn_where_clients_evaluated(
    figure_names: Callable[[pd.DataFrame], list[str]],
) -> None:
    evaluated = study().assign(**dict.fromkeys(NAMES, 0.5), honest_loss=0.5)
    kinds = ("aggregators", "curves", "fairness", "trade-off")
    assert figure_names(evaluated) == [f"digits-{kind}" for kind in kinds]
    without = figure_names(evaluated.assign(honest_loss=np.nan))
    assert without == [f"digits-{kind}" for kind in kinds if kind != "fairness"]


def test_how_clients_are_served_has_a_row_for_each_measure() -> None:
    served = runs("dba", "mean", None, 0.8, 0.9).assign(**dict.fromkeys(NAMES, 0.5), honest_loss=0.5)
    figure = curves(served, FAIRNESS_ROWS)
    assert [axes.get_ylabel() for axes in figure.axes] == list(FAIRNESS_ROWS.values())
    plt.close(figure)


def test_majority_and_minority_are_drawn_where_there_is_one(
    figure_names: Callable[[pd.DataFrame], list[str]],
) -> None:
    with_minority = study().assign(majority_accuracy=0.9, minority_accuracy=0.4)
    assert "digits-groups" in figure_names(with_minority)
    assert "digits-groups" not in figure_names(with_minority.assign(minority_accuracy=np.nan))


def test_majority_and_minority_have_a_row_each() -> None:
    few = runs("dba", "mean", None, 0.8, 0.9).assign(majority_accuracy=0.9, minority_accuracy=0.4)
    figure = curves(few, GROUP_ROWS)
    levels = {axes.get_ylabel(): np.asarray(axes.lines[0].get_ydata()) for axes in figure.axes}
    assert (levels["accuracy, majority"] == 0.9).all()
    assert (levels["accuracy, minority"] == 0.4).all()
    plt.close(figure)


def test_a_tilted_mean_is_no_part_of_another_weighting_s_line() -> None:
    tilted_mean = runs("none", "mean", 0.01, 0.2, 0.0)
    rounds = pd.concat([study(), tilted_mean], ignore_index=True)
    figure = curves(rounds[rounds["attack"] == "none"])
    (line,) = (one for one in figure.axes[0].lines if one.get_label() == "PAwBRoFL mu=0.01")
    assert np.asarray(line.get_ydata())[-1] == pytest.approx(0.95, abs=0.01)
    plt.close(figure)


def lines_of(panel: Axes) -> list[str]:
    return [str(line.get_label()) for line in panel.lines]


def test_a_mean_that_is_tilted_has_a_column_beside_others() -> None:
    rounds = pd.concat([runs("dba", name, 0.05, 0.9, 0.1) for name in ("mean", "no-regret")])
    figure = curves(rounds)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["dba, mean", "dba, no-regret"]
    assert all(lines_of(axes) == ["PAwBRoFL mu=0.05"] for axes in figure.axes)
    plt.close(figure)


@pytest.mark.slow
def test_aggregators_are_drawn_over_each_other_in_a_column_for_each_attack() -> None:
    figure = aggregators(study())
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes[:2]] == ["no attack", "dba"]
    everything = ["mean", "no-regret", "no-regret, mu=0.01", "no-regret, mu=1"]
    assert all(lines_of(axes) == everything for axes in figure.axes[:2])
    last = [float(np.asarray(line.get_ydata())[-1]) for line in figure.axes[1].lines]
    assert last == pytest.approx([0.8, 0.9, 0.85, 0.9], abs=0.01)
    plt.close(figure)


@pytest.mark.slow
def test_of_too_many_lines_those_without_tilt_are_drawn_and_of_too_few_none() -> None:
    many = [runs("dba", name, mu, 0.9, 0.1) for name in "abcdef" for mu in (None, 0.1)]
    figure = aggregators(pd.concat(many))
    assert figure is not None
    assert lines_of(figure.axes[0]) == list("abcdef")
    plt.close(figure)
    assert aggregators(runs("dba", "mean", None, 0.9, 0.1)) is None
    assert aggregators(pd.concat(runs("dba", f"rule {n}", None, 0.9, 0.1) for n in range(11))) is None


def test_the_table_has_means_and_spreads_over_the_seeds() -> None:
    cells = pd.DataFrame(
        {
            "aggregator": ["mean", "mean", "no-regret", "no-regret"],
            "mu": [None, None, 0.1, 0.1],
            "seed": [1, 2, 1, 2],
            "test_accuracy": [0.5, 0.7, 0.9, 0.9],
            "attack_success_rate": [1.0, 1.0, 0.0, 0.0],
            "largest_honest_gap": 0.1,
            "largest_gap": 0.1,
            "precision": np.nan,
            "recall": 1.0,
            "malicious_weight": 0.0,
        }
    )
    lines = as_markdown(over_seeds(cells, ["aggregator", "mu"])).splitlines()
    assert lines[0].startswith("| aggregator | mu | seeds | test accuracy |")
    assert lines[2].startswith("| mean |  | 2 | 0.6000 ± 0.1414 | 1.0000 ± 0.0000 |")
    assert lines[3].startswith("| no-regret | 0.1 | 2 | 0.9000 ± 0.0000 |")
    assert "|  | 1.0000 ± 0.0000 |" in lines[3], "no precision where nobody was judged"
