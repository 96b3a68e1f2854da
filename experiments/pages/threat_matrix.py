"""The threat matrix: every attack against every aggregator, as heat maps and a table of detection."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..grid.markdown import markdown_table
from .page import Page

CSV = "threat_matrix.csv"
WITHOUT_WEIGHTS = ("fed-median", "fed-trimmed-avg")
PANELS = {
    "test_accuracy": ("accuracy", "viridis"),
    "attack_success_rate": ("attack success rate", "magma_r"),
}


def draw(cells: pd.DataFrame) -> Figure:
    """Return heat maps: a row of panels for each measure, a column for each malicious fraction."""
    fractions = sorted(cells["malicious-fraction"].unique())
    attacks = cells["attack"].nunique()
    size = (8.5 * len(fractions), (0.36 * attacks + 1.9) * len(PANELS))
    figure = Figure(size, layout="constrained")
    panels = figure.subplots(len(PANELS), len(fractions), squeeze=False)
    for row, (measure, (title, colours)) in zip(panels, PANELS.items(), strict=True):
        for axes, fraction in zip(row, fractions, strict=True):
            chosen = cells[cells["malicious-fraction"] == fraction]
            _heat_map(axes, _table(chosen, measure), colours)
            axes.set_title(f"{title}, {fraction:.0%} malicious")
    return figure


def _table(cells: pd.DataFrame, measure: str) -> pd.DataFrame:
    tilt = cells["performance-aware"].map({True: " + tilt", False: ""})
    defence = cells["aggregator"] + tilt
    table = cells.assign(defence=defence).pivot_table(
        index="attack", columns="defence", values=measure, sort=False
    )
    bare = [name for name in table.columns if not name.endswith(" + tilt")]
    order = [name for one in bare for name in (one, f"{one} + tilt") if name in table.columns]
    return table[order]


def _heat_map(axes: Axes, table: pd.DataFrame, colours: str) -> None:
    values = table.to_numpy(dtype=float)
    axes.imshow(values, aspect="auto", cmap=colours, vmin=0, vmax=1)
    axes.set_xticks(range(table.shape[1]), list(table.columns), rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(table.shape[0]), list(table.index), fontsize=8)
    map_of = mpl.colormaps[colours]
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        light = float(np.mean(map_of(value)[:3])) > 0.55
        axes.text(
            column,
            row,
            f"{100 * value:.0f}",
            ha="center",
            va="center",
            fontsize=7,
            color="black" if light else "white",
        )


def detection(cells: pd.DataFrame) -> str:
    """Return precision and recall of 'judged malicious', over all rounds, as a Markdown table."""
    judged = cells[
        ~cells["aggregator"].isin([*WITHOUT_WEIGHTS, "mean"])
        & ~cells["performance-aware"]
        & (cells["attack"] != "none")
    ]
    columns: dict[str, pd.Series] = {}
    for (fraction, aggregator), part in judged.groupby(["malicious-fraction", "aggregator"], sort=False):
        means = part.groupby("attack", sort=False)[["precision", "recall"]].mean()
        columns[f"{aggregator}, {fraction:.0%}"] = means.apply(_precision_and_recall, axis=1)
    table = pd.DataFrame(columns).rename_axis("attack").reset_index().fillna("")
    return markdown_table(table)


def _precision_and_recall(row: pd.Series) -> str:
    precision = "-" if np.isnan(row["precision"]) else f"{row['precision']:.2f}"
    return f"{precision} / {row['recall']:.2f}"


PAGE = Page(
    "attacks.md",
    lambda recorded: {"detection": detection(pd.read_csv(recorded / CSV))},
    studies={"threat-matrix": CSV},
    figures=lambda recorded: {"threat_matrix.png": draw(pd.read_csv(recorded / CSV))},
)
