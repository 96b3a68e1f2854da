"""Figures of a study: the paper's curves, fairness, and what the temperature trades for what.

Drawn for light or dark pages. Lines are means over the seeds, bands reach from the smallest to the
largest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .results import METHOD, comparable

ROWS = {
    "test_accuracy": "test accuracy",
    "attack_success_rate": "attack success rate",
    "largest_honest_gap": "largest gap, honest clients",
    "largest_gap": "largest gap, all clients",
}
FAIRNESS_ROWS = {
    "honest_accuracy": "accuracy, mean client",
    "worst_honest_accuracy": "accuracy, worst 10%",
    "worst_honest_loss": "loss, worst 10%",
    "honest_loss_variance": "variance of the loss",
}
"""Of honest clients, each on its own data."""
GROUP_ROWS = {"majority_accuracy": "accuracy, majority", "minority_accuracy": "accuracy, minority"}
"""On test samples of each group's own kind."""
DPI = 130
MOST_COLUMNS = 8
"""Attacks times weightings that a figure can hold and still be read."""
MOST_LINES = 10
"""Aggregators that a panel can hold and still be told apart."""


def draw_study_figures(rounds: pd.DataFrame, folder: Path, dark: bool = False) -> list[Path]:
    """Draw what a study's rounds allow, for each `comparable` part of it, and return the paths.

    A part with more than `MOST_COLUMNS` combinations of attack and weighting is left out.

    Parameters
    ----------
    rounds : DataFrame
        As `study_records.rounds_of` returns it.
    folder : Path
        Where to; made if missing. ``<part>-curves.png``; where several aggregators can be drawn over
        each other, ``<part>-aggregators.png``; where clients evaluated, ``<part>-fairness.png``; with a
        minority, ``<part>-groups.png``; where ``mu`` varies, ``<part>-trade-off.png``; with ``-dark``
        before the suffix for dark pages.
    dark : bool
        Light on dark, for dark pages.
    """
    return save_figures(figures_of(rounds), folder, dark)


def figures_of(rounds: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """Yield what a study's rounds allow: names, and figures that are not drawn yet."""
    for name, part in comparable(rounds):
        beside = aggregators(part)
        if beside is not None:
            yield f"{name}-aggregators", beside
        if len(columns_of(part)) > MOST_COLUMNS:
            continue
        yield f"{name}-curves", curves(part)
        if "honest_loss" in part and part["honest_loss"].notna().any():
            yield f"{name}-fairness", curves(part[part["round"] > 0], FAIRNESS_ROWS)
        if "minority_accuracy" in part and part["minority_accuracy"].notna().any():
            yield f"{name}-groups", curves(part, GROUP_ROWS)
        if part.loc[part["performance-aware"], "mu"].nunique() > 1:
            yield f"{name}-trade-off", trade_off(part)


def save_figures(figures: Iterator[tuple[str, Figure]], folder: Path, dark: bool) -> list[Path]:
    """Write figures, each with its name, into a folder that is made if missing; return the paths.

    They are drawn here, one by one as the iterator makes them, in the style of a light or a dark page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    grounds = dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "#16181d")
    suffix = "-dark.png" if dark else ".png"
    paths = []
    with mpl.style.context(["dark_background", grounds] if dark else "default"):
        for name, figure in figures:
            paths.append(folder / f"{name.replace(', ', '-')}{suffix}")
            figure.savefig(paths[-1], dpi=DPI)
    return paths


def curves(rounds: pd.DataFrame, rows: Mapping[str, str] = ROWS) -> Figure:
    """Draw the paper's figure: measures in rows, attack and robust weighting in columns.

    Lines are the methods: vanilla FL (in every column of its attack), vanilla BRFL, and PAwBRoFL for
    each mu.
    """
    methods = in_order(rounds[METHOD])
    colours = _colours(methods)

    def draw(panel: Axes, attack: str, aggregator: str, measure: str) -> None:
        vanilla = (rounds["aggregator"] == "mean") & ~rounds["performance-aware"]
        part = rounds[(rounds["attack"] == attack) & (vanilla | (rounds["aggregator"] == aggregator))]
        for method in methods:
            _line(panel, part[part[METHOD] == method], "round", measure, method, colours)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))

    return _grid_of_panels(rounds, "round", rows, draw, columns_of(rounds))


def aggregators(rounds: pd.DataFrame) -> Figure | None:
    """Draw the aggregators over each other, a column for each attack; None where that cannot be read.

    Where there are too many lines, those without tilt alone.
    """
    if rounds["aggregator"].nunique() < 2 or rounds["attack"].nunique() > MOST_COLUMNS:
        return None
    tilted = rounds["performance-aware"]
    named = rounds["aggregator"] + rounds["mu"].map(", mu={:g}".format).where(tilted, "")
    shown = rounds.assign(line=named)
    if named.nunique() > MOST_LINES:
        shown = shown[~tilted]
    lines, attacks = in_order(shown["line"]), in_order(shown["attack"])
    if not 1 < len(lines) <= MOST_LINES:
        return None
    colours = {name: f"C{place}" for place, name in enumerate(lines)}

    def draw(panel: Axes, attack: str, _: str, measure: str) -> None:
        part = shown[shown["attack"] == attack]
        for name in lines:
            _line(panel, part[part["line"] == name], "round", measure, name, colours)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))

    return _grid_of_panels(shown, "round", ROWS, draw, [(attack, "") for attack in attacks])


def trade_off(rounds: pd.DataFrame) -> Figure:
    """Draw the last round's measures against mu, with vanilla BRFL as a dashed level beside."""
    last = rounds[rounds["round"] == rounds["num-rounds"]]
    colours = {"PAwBRoFL": "C0", "vanilla BRFL": "C1"}

    def draw(panel: Axes, attack: str, aggregator: str, measure: str) -> None:
        part = last[(last["attack"] == attack) & (last["aggregator"] == aggregator)]
        tilted, plain = part[part["performance-aware"]], part[~part["performance-aware"]]
        _line(panel, tilted, "mu", measure, "PAwBRoFL", colours, marker="o")
        if len(plain):
            level = plain[measure].mean()
            panel.axhline(level, ls="--", color=colours["vanilla BRFL"], label="vanilla BRFL")
        panel.set_xscale("log")

    return _grid_of_panels(last, "mu", ROWS, draw, columns_of(last))


def _grid_of_panels(
    rounds: pd.DataFrame,
    x: str,
    rows: Mapping[str, str],
    draw: Callable[[Axes, str, str, str], None],
    columns: Sequence[tuple[str, str]],
) -> Figure:
    """Draw a panel for each measure (rows) and each attack with each robust weighting (columns)."""
    figure = Figure((3.3 * len(columns) + 0.6, 2.3 * len(rows) + 0.6), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), sharex=True, sharey="row", squeeze=False)
    for column, (attack, aggregator) in enumerate(columns):
        title = ", ".join(filter(None, (attack_name(attack), aggregator)))
        axes[0, column].set_title(title, fontsize=10)
        axes[-1, column].set_xlabel(x)
        for row, measure in enumerate(rows):
            draw(axes[row, column], attack, aggregator, measure)
            axes[row, column].grid(alpha=0.25)
    for row, label in enumerate(rows.values()):
        axes[row, 0].set_ylabel(label)
    _legend(figure, axes[0])
    return figure


def _line(
    axes: Axes,
    part: pd.DataFrame,
    x: str,
    measure: str,
    label: str,
    colours: dict[str, str],
    marker: str | None = None,
) -> None:
    if part[measure].notna().sum() == 0:
        return
    points = part.groupby(x)[measure].agg(["mean", "min", "max"]).dropna()
    colour = colours[label]
    axes.plot(points.index, points["mean"], color=colour, label=label, lw=1.6, marker=marker, ms=4)
    axes.fill_between(points.index, points["min"], points["max"], color=colour, alpha=0.15, lw=0)


def columns_of(rounds: pd.DataFrame) -> list[tuple[str, str]]:
    """Return each attack with each weighting, in the study's order.

    Without the mean where nothing tilts it and there are others: vanilla FL is in each of their columns.
    """
    columns = []
    for attack in in_order(rounds["attack"]):
        part = rounds[rounds["attack"] == attack]
        beside = (part["aggregator"] != "mean") | part["performance-aware"]
        names = in_order(part.loc[beside, "aggregator"]) or ["mean"]
        columns += [(attack, name) for name in names]
    return columns


def in_order(values: pd.Series) -> list[str]:
    """Return what a column holds, each once, as it comes first."""
    return [str(value) for value in values.drop_duplicates()]


def attack_name(attack: str) -> str:
    """Return what an attack is called in titles."""
    return "no attack" if attack == "none" else attack


def _colours(methods: Sequence[str]) -> dict[str, str]:
    fixed = {"vanilla FL": "#4c72b0", "vanilla BRFL": "0.5"}
    tilted = [method for method in methods if method not in fixed]
    ramp = mpl.colormaps["plasma"](np.linspace(0.35, 0.85, max(len(tilted), 1)))
    chosen = {m: mpl.colors.to_hex(c) for m, c in zip(tilted, ramp, strict=False)}
    return {method: fixed.get(method, chosen.get(method, "C0")) for method in methods}


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    entries: dict[str, Artist] = {}
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=min(len(entries), 4),
        fontsize=9,
        frameon=False,
    )
