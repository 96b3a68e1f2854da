"""The threat matrix and the false reports: what the studies cover, and what their pages show."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from attacks import ATTACKS
from attacks.parsing import parse
from experiments.grid.markdown import markdown_table
from experiments.grid.study import Study
from experiments.pages.false_report_effects import report_table
from experiments.pages.threat_matrix import detection, draw

TOY = [("mean", False), ("mean", True), ("no-regret", False), ("no-regret", True), ("fed-median", False)]


@pytest.fixture
def cells() -> pd.DataFrame:
    rows = [
        {
            "malicious-fraction": fraction,
            "aggregator": aggregator,
            "performance-aware": tilt,
            "attack": attack,
            "test_accuracy": 0.9 - fraction,
            "attack_success_rate": fraction,
            "precision": np.nan if attack == "dba" else 0.75,
            "recall": 0.0 if attack == "dba" else 0.5,
        }
        for fraction, (aggregator, tilt), attack in itertools.product(
            (0.2, 0.4), TOY, ("none", "dba", "ipm(strength=10)")
        )
    ]
    return pd.DataFrame(rows)


def test_the_heat_maps_have_a_row_for_each_attack_and_a_column_for_each_defence(
    cells: pd.DataFrame,
) -> None:
    figure = draw(cells)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [
        "accuracy, 20% malicious",
        "accuracy, 40% malicious",
        "attack success rate, 20% malicious",
        "attack success rate, 40% malicious",
    ]
    for axes in figure.axes:
        defences = [label.get_text() for label in axes.get_xticklabels()]
        assert defences == ["mean", "mean + tilt", "no-regret", "no-regret + tilt", "fed-median"]
        assert len(axes.get_yticklabels()) == 3
    assert figure.axes[1].texts[0].get_text() == "50"
    plt.close(figure)


def test_detection_is_of_weightings_that_judge(cells: pd.DataFrame) -> None:
    assert detection(cells).splitlines() == [
        "| attack | no-regret, 20% | no-regret, 40% |",
        "|---|---|---|",
        "| dba | - / 0.00 | - / 0.00 |",
        "| ipm(strength=10) | 0.75 / 0.50 | 0.75 / 0.50 |",
    ]


def test_reports_are_shown_bounded_beside_as_printed() -> None:
    rows = [
        ("ipm", False, True, 1, 0.8),
        ("ipm+nan-report", True, True, 1, 0.7),
        ("ipm+nan-report", True, True, 2, 0.8),
        ("ipm+nan-report", True, False, 1, 0.1),
    ]
    table = report_table(
        pd.DataFrame(rows, columns=["attack", "performance-aware", "bound-reports", "seed", "value"])
        .assign(aggregator="mean")
        .assign(
            test_accuracy=lambda cells: cells["value"],
            attack_success_rate=0.5,
            malicious_weight=0.25,
        )
    ).splitlines()
    assert table[2].startswith("| mean | ipm | (no tilt) | 0.800 | 0.800 | 0.500 |")
    assert table[3].startswith("| mean | ipm | nan | 0.750 ± 0.071 | 0.100 | 0.500 ± 0.000 |")


def test_the_matrix_holds_every_attack_on_data_and_updates() -> None:
    attacks = {str(cell.varied["attack"]) for cell in Study.load("threat-matrix").cells} - {"none"}
    covered = {name for attack in attacks for name, _ in parse(attack)}
    on_data_or_updates = {name for name, entry in ATTACKS.items() if entry.changes != ("report",)} - {
        "norm-ball",  # part of stealthy-dba
        "anti-minority",  # has a study of its own, with minorities
        "opt-alie",  # know the defence, as the referee does
        "opt-ipm",
        "neurotoxin",  # came after the matrix was recorded
        "blended",
        "edge-case",
    }
    assert on_data_or_updates <= covered


def test_a_markdown_table_leaves_out_what_is_not_known() -> None:
    frame = pd.DataFrame({"name": ["a", "b"], "value": [0.12345, np.nan]})
    assert markdown_table(frame, digits=2).splitlines()[2:] == ["| a | 0.12 |", "| b |  |"]
