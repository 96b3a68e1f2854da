"""Figures of one run: the paper's three curves, fairness, and who counted how much in every round."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..tasks.minorities import MAJORITY, MINORITY
from .client_weights import ClientWeights

MALICIOUS_COLOUR = "#c1272d"
DPI = 150
TALLEST = 7.0
"""Inches: a picture of 100 clients fits a screen."""

MOST_NAMES = 35
"""More clients are not all named beside a map; malicious ones are."""

BEYOND = 2.0
"""How far above the first curve a picture goes at most."""


def draw_figures(
    rounds: pd.DataFrame, clients: pd.DataFrame, groups: pd.DataFrame, folder: Path, title: str
) -> list[Path]:
    """Draw the figures of a run's tables into a folder, with a title above, and return their paths.

    ``accuracy.png``, ``attack_success_rate.png``, ``largest_gap.png``, ``weights.png``; and, where
    clients evaluated, ``fairness.png``, and where there is a minority, ``groups.png``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "accuracy.png": _curves(rounds, {"test_accuracy": ""}, "test accuracy", top=1),
        "attack_success_rate.png": _curves(
            rounds, {"attack_success_rate": ""}, "attack success rate", top=1
        ),
        "largest_gap.png": _curves(
            rounds.dropna(subset=["largest_gap"]),
            {
                "largest_honest_gap": "honest clients",
                "largest_gap": "all, with what malicious ones report",
            },
            "largest optimality gap (loss)",
        ),
        "weights.png": _weights(ClientWeights.of(clients)),
    }
    if rounds["honest_loss"].notna().any():
        figures["fairness.png"] = _fairness(rounds.dropna(subset=["honest_loss"]))
    if len(groups):
        accuracies = groups.pivot(index="round", columns="group", values="accuracy").reset_index()
        columns = {MAJORITY: MAJORITY, MINORITY: MINORITY}
        label = "accuracy on images of their kind"
        figures["groups.png"] = _curves(accuracies, columns, label, top=1)
    for name, figure in figures.items():
        figure.suptitle(title, fontsize=9)
        figure.savefig(folder / name, dpi=DPI)
        plt.close(figure)
    return [folder / name for name in figures]


def _curves(
    rounds: pd.DataFrame, columns: dict[str, str], label: str, top: float | None = None
) -> Figure:
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    _draw_curves(axes, rounds, columns, label, top)
    return figure


def _fairness(rounds: pd.DataFrame) -> Figure:
    """Draw how evenly the model serves honest clients: accuracy, loss and the loss's variance."""
    figure, (accuracy, loss, variance) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    names = {"honest_accuracy": "mean", "worst_honest_accuracy": "worst 10%"}
    _draw_curves(accuracy, rounds, names, "accuracy", top=1)
    names = {"honest_loss": "mean", "worst_honest_loss": "worst 10%"}
    _draw_curves(loss, rounds, names, "loss")
    _draw_curves(variance, rounds, {"honest_loss_variance": ""}, "variance of the loss")
    loss.set_title("honest clients, each on its own training data", fontsize=10)
    return figure


def _draw_curves(
    axes: Axes, rounds: pd.DataFrame, columns: dict[str, str], label: str, top: float | None = None
) -> None:
    for style, (column, name) in zip(("o-", "s--"), columns.items(), strict=False):
        axes.plot(rounds["round"], rounds[column], style, markersize=4, label=name or None)
    axes.set(xlabel="round", ylabel=label)
    first = rounds[next(iter(columns))].max()
    if top is None:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        if axes.get_ylim()[1] > BEYOND * first > 0:  # the first curve is what is to be seen
            axes.set_ylim(top=BEYOND * first)
    else:
        axes.set_ylim(-0.02 * top, 1.02 * top)
    axes.set_xlim(rounds["round"].min() - 0.4, rounds["round"].max() + 0.4)  # no tick lies beyond
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if any(columns.values()):
        axes.legend()


def _weights(weights: ClientWeights) -> Figure:
    table = weights.table
    height = min(max(3.0, 0.22 * len(table) + 1.2), TALLEST)
    figure, axes = plt.subplots(figsize=(7, height), layout="constrained")
    image = axes.imshow(table.to_numpy(), aspect="auto", interpolation="nearest", cmap="viridis", vmin=0)
    figure.colorbar(image, label="final weight of the client's update")
    every = max(1, -(-len(table) // MOST_NAMES))
    named = [
        row for row, name in enumerate(table.index) if row % every == 0 or name in weights.malicious
    ]
    axes.set_yticks(named, [table.index[row] for row in named], fontsize=8 if every == 1 else 5)
    for tick, name in zip(axes.get_yticklabels(), table.index[named], strict=True):
        if name in weights.malicious:
            tick.set(color=MALICIOUS_COLOUR, fontweight="bold")
    for row, name in enumerate(table.index):
        if name in weights.malicious:
            axes.axhspan(row - 0.5, row + 0.5, fill=False, edgecolor=MALICIOUS_COLOUR, lw=1.2)
    rounds = list(table.columns)
    step = max(1, len(rounds) // 12)
    axes.set_xticks(np.arange(0, len(rounds), step), rounds[::step])
    marked = "; malicious clients framed" if weights.malicious else ""
    axes.set(xlabel="round", ylabel="client")
    axes.set_title(f"final weights{marked}", fontsize=10)
    return figure
