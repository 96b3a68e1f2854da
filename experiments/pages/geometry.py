"""How the method works, in pictures: updates of two coordinates, aggregated by the library itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from strategies import CoalitionFiltering, PerformanceAware, aggregate
from strategies.aggregation import Aggregation
from strategies.arrays import FloatArray

from .page import Page

HONEST, MALICIOUS = 16, 4
EPSILON = MALICIOUS / (HONEST + MALICIOUS)
HONEST_MEAN, HONEST_SPREAD, COALITION_MEAN = np.array([1.0, 0.4]), np.array([0.25, 0.5]), (-1.6, 2.2)
BLUE, RED, GREEN, ORANGE, GREY = "#2563eb", "#b3261e", "#15803d", "#c2410c", "#5c6370"


def updates() -> FloatArray:
    """Return the updates, an array of shape (20, 2): honest clients first, then a coalition of four."""
    random = np.random.default_rng(9)
    honest = HONEST_MEAN + HONEST_SPREAD * random.normal(size=(HONEST, 2))
    coalition = COALITION_MEAN + 0.2 * random.normal(size=(MALICIOUS, 2))
    return np.vstack([honest, coalition])


def gaps(sent: FloatArray) -> FloatArray:
    """Return optimality gaps: honest clients are served the worse, the further up they pull."""
    honest = np.maximum(0.3 + 0.8 * (sent[:HONEST, 1] - HONEST_MEAN[1]), 0.02)
    return np.append(honest, np.full(MALICIOUS, 3.0))


def robust() -> Aggregation[NDArray[Any]]:
    """Return the aggregation without the tilt."""
    return aggregate(updates(), CoalitionFiltering(EPSILON))


def tilted() -> Aggregation[NDArray[Any]]:
    """Return the aggregation with the tilt."""
    sent = updates()
    return aggregate(sent, CoalitionFiltering(EPSILON), gaps(sent), PerformanceAware(mu=0.05))


def draw_coalition() -> Figure:
    """Return the picture of who counts: plain mean, and robust mean with everybody's weight."""
    sent, weighed = updates(), robust()
    figure, axes = _axes("A coalition moves the mean; it stands apart, and together")
    _clients(axes, sent, weighed.robust_weights)
    _arrow(axes, sent.mean(axis=0), RED, "plain mean")
    _arrow(axes, weighed.mean, BLUE, "robust mean")
    axes.legend(loc="lower left")
    return figure


def draw_spread() -> Figure:
    """Return the picture of spread: how far updates scatter along each direction, with whom."""
    sent = updates()
    figure = Figure((5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    angles = np.linspace(0, np.pi, 181)
    along = np.stack([np.cos(angles), np.sin(angles)])
    for weights, name, colour in (
        (np.full(len(sent), 1 / len(sent)), "all clients alike", RED),
        (robust().robust_weights, "robust weights", BLUE),
    ):
        centred = sent - weights @ sent
        axes.plot(np.degrees(angles), weights @ (centred @ along) ** 2, color=colour, label=name)
    axes.set(xlabel="direction, degrees", ylabel="variance along it", ylim=(0, None))
    axes.set_title("Who moves the mean spreads the updates", fontsize=10)
    axes.legend()
    return figure


def draw_tilt() -> Figure:
    """Return the picture of the tilt: it turns the robust mean, and keeps its length."""
    sent, straight, turned = updates(), robust(), tilted()
    figure, axes = _axes("The tilt turns the mean, and keeps its length", zoom=True)
    _clients(axes, sent[:HONEST], turned.weights[:HONEST], coloured_by=gaps(sent)[:HONEST])
    axes.add_patch(
        Circle((0, 0), float(np.linalg.norm(straight.mean)), fill=False, ls=":", color=GREY, lw=1.2)
    )
    _arrow(axes, straight.mean, BLUE, "robust mean")
    _arrow(axes, turned.mean, ORANGE, "tilted, of the same length")
    axes.legend(loc="upper left")
    return figure


def draw_branches() -> Figure:
    """Return the picture of branches: who is left out again and again has a mean of its own."""
    sent, main = updates(), robust()
    apart = np.flatnonzero(main.robust_weights < 0.5 / len(sent))
    branch = aggregate(sent[apart], CoalitionFiltering(EPSILON))
    figure, axes = _axes("Left out again and again: a branch of their own")
    weights = main.robust_weights.copy()
    weights[apart] = branch.robust_weights
    _clients(axes, sent, weights)
    _arrow(axes, main.mean, BLUE, "main model")
    _arrow(axes, branch.mean, GREEN, "branch")
    axes.legend(loc="lower left")
    return figure


def _axes(title: str, *, zoom: bool = False) -> tuple[Figure, Axes]:
    figure = Figure((5.2, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=10)
    axes.set_aspect("equal")
    axes.axhline(0, color="#d8dbe2", lw=0.8, zorder=0)
    axes.axvline(0, color="#d8dbe2", lw=0.8, zorder=0)
    axes.set(xlabel="first coordinate of the update", ylabel="second coordinate")
    if zoom:
        axes.set(xlim=(-0.3, 1.8), ylim=(-0.9, 2.1))
    return figure, axes


def _clients(
    axes: Axes, sent: FloatArray, weights: FloatArray, coloured_by: FloatArray | None = None
) -> None:
    """Draw updates as discs whose area is their weight; a cross has none."""
    size = 60 * len(weights) * weights
    counts = weights > 0
    if coloured_by is not None:
        discs = axes.scatter(
            sent[:, 0], sent[:, 1], s=size, c=coloured_by, cmap="viridis_r", edgecolors=GREY
        )
        axes.figure.colorbar(discs, ax=axes, label="optimality gap", shrink=0.7)
        return
    axes.scatter(
        sent[counts, 0],
        sent[counts, 1],
        s=size[counts],
        color="#9db8f2",
        edgecolors=BLUE,
        label="counts",
    )
    if not counts.all():
        axes.scatter(sent[~counts, 0], sent[~counts, 1], s=50, marker="x", color=RED, label="weight 0")


def _arrow(axes: Axes, to: FloatArray, colour: str, name: str) -> None:
    axes.annotate(
        "",
        xy=(to[0], to[1]),
        xytext=(0, 0),
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.2},
    )
    axes.plot([], [], color=colour, lw=2.2, label=name)


def in_numbers() -> str:
    """Return what the pictures show, as a list."""
    sent, straight, turned = updates(), robust(), tilted()
    truth = sent[:HONEST].mean(axis=0)
    off = [float(np.linalg.norm(mean - truth)) for mean in (sent.mean(axis=0), straight.mean)]
    angle = np.degrees(
        np.arctan2(turned.mean[1], turned.mean[0]) - np.arctan2(straight.mean[1], straight.mean[0])
    )
    largest, least = turned.weights[:HONEST].max(), turned.weights[:HONEST].min()
    return "\n".join(
        [
            f"- The coalition moves the plain mean by {off[0]:.2f} from that of the honest clients; the"
            f" robust mean is {off[1]:.2f} away.",
            f"- The weight of the four is {straight.robust_weights[HONEST:].sum():.2f}.",
            f"- The tilt turns the mean by {angle:.0f} degrees; its length stays"
            f" {np.linalg.norm(turned.mean):.2f}, and no client counts more than"
            f" {largest / least:.1f} times as much as another.",
        ]
    )


def figures(_: Path) -> dict[str, Figure]:
    """Return the page's pictures by file name."""
    return {
        "geometry_coalition.png": draw_coalition(),
        "geometry_spread.png": draw_spread(),
        "geometry_tilt.png": draw_tilt(),
        "geometry_branches.png": draw_branches(),
    }


PAGE = Page("how_it_works.md", lambda _: {"numbers": in_numbers()}, figures=figures)
