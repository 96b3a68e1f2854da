"""The comparison of estimators: its scenarios, its unit of error, and what it says of ours."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.estimators.breakdown import draw
from experiments.estimators.competitors import others, ours
from experiments.estimators.error import compare, errors_of, summary
from experiments.estimators.scenarios import ATTACKS, NOISE, honest_updates
from experiments.grid.markdown import markdown_table
from strategies import WEIGHTINGS


@pytest.mark.parametrize("noise", sorted(NOISE))
def test_noise_is_as_long_as_the_mean(noise: str) -> None:
    rows = honest_updates(noise, 400, 500, np.random.default_rng(0))
    squares = (rows - rows.mean(axis=0)) ** 2
    assert np.linalg.norm(rows.mean(axis=0)) == pytest.approx(1, abs=0.15)
    assert squares.sum(axis=1).mean() == pytest.approx(1, abs=0.4)


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_attacks_move_the_mean(attack: str) -> None:
    random = np.random.default_rng(0)
    honest = honest_updates("few directions", 40, 500, random)
    rows = ATTACKS[attack](honest, 20, random)
    assert rows.shape == (20, 500)
    moved = np.vstack([honest, rows]).mean(axis=0) - honest.mean(axis=0)
    assert np.linalg.norm(moved) > 1 / np.sqrt(40), "by more than the sampling noise"


def test_without_attack_the_mean_has_no_error_and_one_honest_client_sqrt_m() -> None:
    rows = errors_of(
        {"mean": lambda x, _: x.mean(axis=0), "first": lambda x, _: x[0]},
        noise="even",
        attack="none",
        epsilon=0.2,
        size=(50, 400),
        seed=0,
    )
    errors = {row["estimator"]: row["error"] for row in rows}
    assert errors["mean"] == pytest.approx(0, abs=1e-5)
    assert errors["first"] == pytest.approx(np.sqrt(50), rel=0.1)


@pytest.mark.slow
def test_ours_have_less_error_than_flowers_on_a_small_grid() -> None:
    estimators = {**ours(), **{n: e for n, e in others().items() if not n.startswith("byzfl")}}
    table = summary(
        compare(
            estimators,
            attacks=["shift, noisy", "a little, copies", "mimic"],
            epsilons=[0.2],
            sizes=[(40, 300)],
            seeds=[1],
        )
    )
    least = table.loc[[name for name in table.index if name.startswith("flwr")], "mean"].min()
    for name in ("coalition-filtering", "filtering", "no-regret"):
        assert float(table["mean"].to_dict()[name]) < least
    assert markdown_table(table.reset_index()).count("\n") == len(table) + 1


@pytest.mark.slow
def test_errors_are_as_low_as_documented_on_other_draws() -> None:
    """docs/estimators.md, with noisy attackers: means of 0.35, 0.46, 0.53; of others 1.7 and more."""
    named = {name: ours()[name] for name in ("coalition-filtering", "filtering", "no-regret")}
    peers = {name: ours()[name] for name in ("multi-krum", "geometric-median")}
    errors = compare(
        named | peers, attacks=list(ATTACKS), epsilons=[0.2], sizes=[(30, 300)], seeds=[7, 8, 9]
    )
    table = summary(errors)
    mean, worst, without = (table[column].to_dict() for column in ("mean", "worst", "without attack"))
    for name, bound in zip(named, (0.4, 0.5, 0.55), strict=True):
        assert mean[name] < bound
        assert worst[name] < 2
        assert all(mean[name] < mean[peer] - 0.2 for peer in peers)
    assert without["coalition-filtering"] < 0.3, "it is the plain mean nearly always"


@pytest.mark.slow
def test_the_figure_shows_every_weighting() -> None:
    errors = compare(
        {name: ours().get(name, lambda x, _: x.mean(axis=0)) for name in WEIGHTINGS},
        attacks=["mimic"],
        epsilons=[0.1, 0.3],
        sizes=[(20, 50)],
        seeds=[0],
    )
    axes = draw(errors.assign(fraction=errors["epsilon"])).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(WEIGHTINGS)
