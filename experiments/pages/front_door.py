"""The README's picture and numbers: a backdoor and an honest minority, under FedAvg and under this."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ..grid.markdown import markdown_table
from .leaderboard import CSV as REFEREE
from .page import Page
from .robust_and_fair import CSV
from .robust_and_fair_aims import METHOD, SETTING

METHODS = {
    "FedAvg": "FedAvg",
    "default": "PAwBRoFL, weighting alone",
    "default + branches": "PAwBRoFL, with branches",
}
"""Methods of the benchmark that are shown, as the README calls them."""
MEASURES = {
    "majority": ("accuracy, majority", "#2563eb"),
    "minority": ("accuracy, honest minority", "#15803d"),
    "attack_success": ("attack success", "#b3261e"),
}
SHOWN = ("rotated", "dba")


def shown(recorded: Path) -> pd.DataFrame:
    """Return the means over the seeds: a row a method, in the order of `METHODS`."""
    runs = pd.read_csv(recorded / CSV)
    setting, attack = SHOWN
    of_setting = runs[(runs[SETTING] == setting) & (runs["attack"] == attack)]
    means = of_setting.groupby(METHOD)[list(MEASURES)].mean()
    return means.loc[[name for name in METHODS if name in means.index]]


def table(recorded: Path) -> str:
    """Return the means as a Markdown table."""
    means = shown(recorded)
    rows = means.rename(columns={name: title for name, (title, _) in MEASURES.items()})
    rows.insert(0, "strategy", [METHODS[str(name)] for name in means.index])
    return markdown_table(rows, digits=2)


def searched(recorded: Path) -> str:
    """Return what attackers who know the default take from it, and from No-Regret, as a list's item."""
    verdicts = pd.read_csv(recorded / REFEREE)
    verdicts["fraction"] = verdicts["case"].str.split("/").str[-1].astype(float)
    digits = verdicts[verdicts["case"].str.startswith("digits")]
    lost = digits.groupby(["defence", "fraction"])["error"].mean().round(1)
    price = digits.groupby("defence")["unattacked"].mean().round(2)
    default, other = "coalition-filtering", "no-regret"
    told = (
        f"- **Attackers who know the weighting** and search for its weak spot: a fifth of malicious "
        f"clients moves the default by {lost[default, 0.2]} of the sampling noise, two fifths by "
        f"{lost[default, 0.4]}. `NoRegret` loses {lost[other, 0.2]} and {lost[other, 0.4]} to them, and "
        f"{price[other]} where nobody attacks (the default {price[default]}): "
        f"[the referee](docs/referee.md)."
    )
    return textwrap.fill(told, 138, subsequent_indent="  ")


def draw(recorded: Path) -> Figure:
    """Return the means as bars, one group a method."""
    means = shown(recorded)
    figure = Figure((7.2, 3.0), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(MEASURES)
    for place, (measure, (title, colour)) in enumerate(MEASURES.items()):
        left = [group + (place - 1) * width for group in range(len(means))]
        bars = axes.bar(left, means[measure], width, color=colour, label=title)
        axes.bar_label(bars, fmt="%.2f", fontsize=8, padding=1)
    axes.set_xticks(range(len(means)), [METHODS[str(name)] for name in means.index])
    axes.set_ylim(0, 1.12)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(MEASURES), frameon=False, fontsize=9)
    return figure


PAGE = Page(
    "../README.md",
    lambda recorded: {"front door": table(recorded), "searched": searched(recorded)},
    figures=lambda recorded: {"front_door.png": draw(recorded)},
)
