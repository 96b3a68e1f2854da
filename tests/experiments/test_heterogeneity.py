"""The heterogeneity page: what its studies pair, what its tables say of made-up runs, who is dropped."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from experiments.grid.cell import Cell
from experiments.grid.cell_folder import CellFolder
from experiments.grid.study import Study
from experiments.pages.dropped_clients import client_rounds, describe, dropped_and_kept, dropped_share
from experiments.pages.heterogeneity import (
    answer,
    differences,
    draw,
    named,
    paired,
    plain_answer,
    served,
    verdict,
    wider_bounds,
    with_and_without_mixing,
    with_and_without_tilt,
)
from pawbrofl_app.records.layout import CLIENTS, ClientRow
from pawbrofl_app.settings.run_config import RunConfig

SEEDS = (1, 2, 3, 4)


def cells(tilted_loss: float = 0.8) -> pd.DataFrame:
    """Runs in which the tilt changes the worst loss from 1 to a number, and mixing adds 0.5."""
    rows = [
        {
            "partition": partition,
            "dirichlet-alpha": 0.1,
            "attack": attack,
            "pre-aggregation": mixing,
            "aggregator": aggregator,
            "performance-aware": tilt,
            "seed": seed,
            "test_accuracy": 0.9,
            "attack_success_rate": 0.1,
            "honest_accuracy": 0.9,
            "worst_honest_accuracy": 0.5 + 0.01 * seed,
            "worst_honest_loss": (tilted_loss if tilt else 1.0)
            + 0.5 * (mixing != "none")
            + 0.01 * (seed * (2 if tilt else 1)),
            "honest_loss_variance": 0.1,
            "dropped": 0.25,
        }
        for partition, attack, mixing, aggregator, tilt, seed in itertools.product(
            ("dirichlet", "iid"),
            ("none", "dba"),
            ("none", "nearest-neighbor-mixing"),
            ("mean", "coalition-filtering"),
            (False, True),
            SEEDS,
        )
        if partition == "dirichlet" or mixing == "none"
    ]
    return pd.DataFrame(rows)


def test_the_tilt_is_compared_with_the_same_run_without_it() -> None:
    pairs = paired(*with_and_without_tilt(named(cells())))
    assert len(pairs) == (2 * 2 * 2 + 2 * 2) * len(SEEDS)
    expected = [-0.2 + 0.01 * seed for seed in pairs.index.get_level_values("seed")]
    assert pairs["worst_honest_loss"].tolist() == pytest.approx(expected)


def test_mixing_is_compared_without_tilt_where_there_is_mixing() -> None:
    pairs = paired(*with_and_without_mixing(named(cells())))
    assert set(pairs.index.get_level_values("data")) == {"Dirichlet 0.1"}
    assert pairs["worst_honest_loss"].tolist() == pytest.approx([0.5] * (2 * 2 * len(SEEDS)))


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize(
    ("tilted_loss", "expected", "answered", "counts"),
    [
        (0.8, "better off", "yes", "8 / 0 / 0 / 0"),
        (1.3, "worse off", "no, worse", "0 / 8 / 0 / 0"),
        (0.98, "not decided", "cannot be told", "0 / 0 / 0 / 8"),
    ],
)
def test_verdict_and_answer_follow_the_interval(
    tilted_loss: float, expected: str, answered: str, counts: str
) -> None:
    runs = named(cells(tilted_loss))
    table = differences(*with_and_without_tilt(runs))
    assert set(table["the worst-off are"]) == {expected}
    whole = answer(runs).set_index("tilt minus no tilt")
    assert whole["settings better / worse / same / not decided"]["all robust weightings"] == counts
    mean = tilted_loss - 1 + 0.025
    assert whole["loss, worst 10%"]["coalition-filtering"].startswith(f"{mean:+.3f} [")
    lines = plain_answer(runs).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "- **Dirichlet 0.1, no attack",
        "- **Dirichlet 0.1, dba",
        "- **IID, no attack",
        "- **IID, dba",
    ]
    for line in lines:
        assert f": {answered}.** Over all robust weightings" in line
        assert f"loss of the worst 10% by {mean:+.3f} [" in line


def test_one_seed_decides_nothing() -> None:
    assert verdict(pd.Series([-1.0])) == "not decided"


def test_a_difference_that_is_surely_tiny_is_none() -> None:
    assert verdict(pd.Series([0.001, 0.0012, 0.0011])) == "the same"


def test_what_is_served_is_of_runs_without_tilt() -> None:
    table = served(named(cells()))
    assert len(table) == 12
    assert table["loss, worst 10%"].iloc[0] == pytest.approx(1.025)
    assert table["weighting"].tolist()[2:4] == ["mean + mixing", "coalition-filtering + mixing"]


def test_wider_bounds_are_compared_with_the_run_of_max_tilt_2() -> None:
    runs = cells()
    like = runs[(runs["aggregator"] == "coalition-filtering") & runs["performance-aware"]]
    like = like[like["pre-aggregation"] == "none"].drop(columns=["pre-aggregation", "aggregator"])
    bounds = pd.concat(
        [like.assign(**{"bound-reports": bound, "attack_success_rate": 0.4}) for bound in (True, False)]
    )
    table = wider_bounds(named(runs), named(bounds))
    assert table["bound"].tolist() == ["max-tilt 10"] * 4 + ["as printed, no bound"] * 4
    assert set(table["attack success"]) == {"+0.300 [+0.300, +0.300]"}
    assert set(table["loss, worst 10%"]) == {"+0.000 [+0.000, +0.000]"}


def test_the_figure_has_a_panel_for_each_kind_of_data() -> None:
    figure = draw(named(cells()))
    assert [axes.get_title() for axes in figure.axes[:2]] == ["Dirichlet 0.1", "IID"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][-1] == "mean"
    plt.close(figure)


def test_every_run_has_the_run_that_it_is_compared_with() -> None:
    def without(cell: Cell, *names: str) -> tuple[tuple[str, Any], ...]:
        settings = cell.config.as_settings()
        return tuple(sorted((name, settings[name]) for name in settings.keys() - set(names)))

    runs, bounds = Study.load("heterogeneity").cells, Study.load("max-tilt").cells
    plain = {without(c, "performance-aware") for c in runs if not c.config.tilt.performance_aware}
    tilted = {without(c, "performance-aware") for c in runs if c.config.tilt.performance_aware}
    assert plain == tilted
    widened = ("max-tilt", "bound-reports")
    bounded = {without(cell, *widened) for cell in runs if cell.config.tilt.performance_aware}
    assert {without(cell, *widened) for cell in bounds} <= bounded


def finished_run(folder: Path, defaults: dict[str, Any]) -> CellFolder:
    """Two rounds of four clients: 1 is malicious, 2 is dropped in the first round only."""
    settings = defaults | {"num-clients": 4, "malicious-fraction": 0.25, "partition": "variable"}
    weights = {1: [0.5, 0.0, 0.02, 0.48], 2: [0.4, 0.0, 0.3, 0.3]}
    rows = [
        ClientRow(
            round=server_round,
            client=str(client),
            loss_gap=0.1 * client,
            robust_weight=weight,
            weight=weight,
            judged_malicious=False,
            truly_malicious=client == 1,
            num_examples=70,
            left_out="",
        )
        for server_round, shares in weights.items()
        for client, weight in enumerate(shares)
    ]
    (folder / CLIENTS.file).write_text(CLIENTS.to_csv(rows, header=True))
    return CellFolder(Cell({}, RunConfig.parse(settings)), folder)


def test_an_honest_client_of_less_than_a_tenth_of_its_share_is_dropped(
    tmp_path: Path, defaults: dict[str, Any]
) -> None:
    run = finished_run(tmp_path, defaults)
    rounds = client_rounds(run)
    assert set(rounds["client"]) == {"0", "2", "3"}
    assert rounds.loc[rounds["dropped"], ["round", "client"]].to_numpy().tolist() == [[1, "2"]]
    assert dropped_share(run) == pytest.approx(1 / 6)
    (row,) = dropped_and_kept([run], ("attack", "partition")).to_dict("records")
    own = describe(run.cell.config).set_index("client")
    assert row["samples_dropped"] == own["samples"]["2"]
    kept = own["samples"][["0", "3", "0", "2", "3"]].mean()
    assert (row["samples_kept"], row["loss_gap_kept"]) == (pytest.approx(kept), pytest.approx(0.16))


def test_clients_are_described_by_their_data(defaults: dict[str, Any]) -> None:
    alike = describe(RunConfig.parse(defaults | {"num-clients": 4}))
    assert alike["samples"].sum() == 1437
    assert (alike["labels"] == 10).all()
    assert alike["label_distance"].max() < 0.1
    skewed = {"partition": "dirichlet", "dirichlet-alpha": 0.02, "num-clients": 4}
    apart = describe(RunConfig.parse(defaults | skewed))
    assert apart["labels"].mean() < 6
    assert apart["label_distance"].min() > 0.5
