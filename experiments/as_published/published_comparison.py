"""The authors' code beside its published curves on MNIST: every point's difference, and a figure.

The study is at the paper's scale: half an hour of two cores for each seed.

``published_curves.csv`` holds the paper's curves as they were read off its figures: one run a curve, no
error bars, reading error 0.2 points of accuracy and 0.3 of attack success. Points that other lines hide
are missing. The third row of those figures, the largest optimality gap, needs 250 extra epochs of every
client and is not in the authors' code; it is not compared.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as students_t

from ..grid.markdown import markdown_table
from ..grid.results import METHOD, rounds_of
from ..pages.page import Page, Runs

STUDY, POINTS = "as-published", "as_published.csv"
PUBLISHED = Path(__file__).with_name("published_curves.csv")
MEASURES = {
    "test_accuracy_percent": ("test_accuracy", "accuracy", 0.2),
    "attack_success_percent": ("attack_success_rate", "attack success", 0.3),
}
"""The published name of each measure: ours, what to call it, and its reading error in points."""

LAST_EARLY_ROUND = 5
DECIDES_NOTHING = 50.0
"""A difference that so many points would explain says nothing: hardly any could be larger."""

CURVE = ["attack", "aggregator", "method", "measure"]


def record(runs: Runs, recorded: Path) -> None:
    """Write every point, published and ours."""
    rounds = with_vanilla_everywhere(rounds_of(runs[STUDY]))
    beside_published(rounds, published_curves()).round(2).to_csv(recorded / POINTS, index=False)


def recorded_points(recorded: Path) -> pd.DataFrame:
    """Return the points as `record` wrote them."""
    return pd.read_csv(recorded / POINTS).astype({"explained": "boolean"})


def parts(recorded: Path) -> dict[str, str]:
    """Return the tables of points and of their agreement."""
    points = recorded_points(recorded)
    return {"points": points_table(points), "agreement": agreement_table(points)}


def published_curves() -> pd.DataFrame:
    """Return the published points: `CURVE`, round and value in percent."""
    read = pd.read_csv(PUBLISHED).rename(columns={"metric": "measure", "value": "published"})
    tilted = read["mu"].notna()
    mu = read["mu"].map(lambda value: f" mu={value:g}")
    read["method"] = read["method"].where(~tilted, read["method"] + mu)
    return read[[*CURVE, "round", "published"]]


def beside_published(rounds: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return every published point of a curve that was run, with what our runs have there.

    Parameters
    ----------
    rounds : DataFrame
        As `study_records.rounds_of` returns it.
    published : DataFrame
        As `published_curves` returns it.

    Returns
    -------
    DataFrame
        ``CURVE``, round and published; ``runs`` and ``mean`` of ours and ``difference`` (mean minus
        published); ``deviation``, the standard deviation over the seeds; ``allowed``, how large a
        difference they and the reading explain, NaN for one seed; ``explained``, whether it is within
        that, missing where that decides nothing. All but the runs in points.
    """
    point = [*CURVE, "round"]
    table = published.merge(_points(rounds), on=point)
    table["difference"] = table["mean"] - table["published"]
    table["deviation"] = np.sqrt(table["variance"])
    table["allowed"] = _allowed(table)
    explained = (table["difference"].abs() <= table["allowed"]).astype("boolean")
    table["explained"] = explained.mask(table["allowed"].isna() | (table["allowed"] > DECIDES_NOTHING))
    return table.drop(columns=["variance", "freedom"])


def _points(rounds: pd.DataFrame) -> pd.DataFrame:
    measured = [_measured(rounds, name, column) for name, (column, _, _) in MEASURES.items()]
    points = pd.concat(measured).groupby([*CURVE, "round"])["value"]
    table = points.agg(runs="count", mean="mean", variance="var").reset_index()
    return table.assign(freedom=table["runs"] - 1)


def _allowed(points: pd.DataFrame) -> pd.Series:
    """Return the 95% bound on the difference of one published run and the mean of ours.

    Few seeds tell little of a point's variance, so it is pooled over the early and over the late rounds
    of a curve.
    """
    phase = np.where(points["round"] <= LAST_EARLY_ROUND, "early", "late")
    pooled = points.groupby([*(points[name] for name in CURVE), phase])
    variance, freedom = pooled["variance"].transform("mean"), pooled["freedom"].transform("sum")
    quantile = students_t.ppf(0.975, freedom.where(freedom > 0))
    reading = points["measure"].map({name: error for name, (_, _, error) in MEASURES.items()})
    noise = np.sqrt(variance * (1 + 1 / points["runs"]))
    return pd.Series(quantile * noise + reading, index=points.index)


def _measured(rounds: pd.DataFrame, measure: str, column: str) -> pd.DataFrame:
    """Return our runs' values of one measure in percent, under the published names."""
    attacked = rounds["attack"] != "none"
    return pd.DataFrame(
        {
            "attack": np.where(attacked, "backdoor", "no attack"),
            "aggregator": rounds["aggregator"].replace({"mean": "average"}),
            "method": rounds[METHOD],
            "measure": measure,
            "round": rounds["round"],
            "value": 100 * rounds[column],
        }
    )


def with_vanilla_everywhere(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return rounds with vanilla FL under attack in each robust panel, as the figures have it."""
    vanilla = rounds[(rounds["attack"] != "none") & (rounds["aggregator"] == "mean")]
    robust = [name for name in rounds["aggregator"].unique() if name != "mean"]
    kept = rounds.drop(vanilla.index)
    return pd.concat([kept, *(vanilla.assign(aggregator=name) for name in robust)], ignore_index=True)


def points_table(points: pd.DataFrame) -> str:
    """Return all points as a Markdown table, each with whether seeds explain the difference."""
    said = {True: "yes", False: "no"}
    return markdown_table(
        pd.DataFrame(
            {
                "curve": points["attack"] + ", " + points["aggregator"] + ", " + points["method"],
                "measure": points["measure"].map(lambda name: MEASURES[name][1]),
                "round": points["round"].astype(int),
                "published": points["published"].map("{:.1f}".format),
                "ours": points["mean"].map("{:.1f}".format),
                "deviation over seeds": points["deviation"].map(_number),
                "difference": points["difference"].map("{:+.1f}".format),
                "allowed": points["allowed"].map(_number),
                "explained": points["explained"].map(lambda value: said.get(value, "-")),
            }
        )
    )


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1f}"


def agreement_table(points: pd.DataFrame) -> str:
    """Return, for each curve, how many points seeds explain and how far apart the curves are."""
    curves = points.groupby(CURVE, sort=False)
    table = pd.DataFrame(
        {
            "points": curves.size(),
            "explained by seeds": curves["explained"].agg(_how_many),
            "mean difference": curves["difference"].mean().map("{:+.1f}".format),
            "largest": curves["difference"].agg(lambda d: d.abs().max()).map("{:.1f}".format),
        }
    ).reset_index()
    table["measure"] = table["measure"].map(lambda name: MEASURES[name][1])
    return markdown_table(table)


def _how_many(explained: pd.Series) -> str:
    """Return how many points are explained, of those where that can be told."""
    return f"{int(explained.sum())} of {explained.count()}"


def draw(points: pd.DataFrame) -> Figure:
    """Return the curves, published (dashed) beside ours, within a standard deviation over seeds.

    A row for each measure, a column for each setting.
    """
    settings = points[["attack", "aggregator"]].drop_duplicates().to_numpy().tolist()
    figure = Figure((5.2 * len(settings), 3.6 * len(MEASURES)), layout="constrained")
    panels = figure.subplots(len(MEASURES), len(settings), squeeze=False)
    for row, (measure, (_, title, _)) in zip(panels, MEASURES.items(), strict=True):
        for axes, (attack, aggregator) in zip(row, settings, strict=True):
            chosen = points[
                (points["measure"] == measure)
                & (points["attack"] == attack)
                & (points["aggregator"] == aggregator)
            ]
            for number, (method, curve) in enumerate(chosen.groupby("method", sort=False)):
                _draw_curve(axes, curve, str(method), f"C{number}")
            axes.set_visible(len(chosen) > 0)
            axes.set(title=f"{attack}, {aggregator}: {title}, %", xlabel="round", ylim=(0, 100))
            axes.grid(alpha=0.25)
            if len(chosen):
                axes.legend(fontsize=8)
    return figure


def _draw_curve(axes: Axes, curve: pd.DataFrame, method: str, colour: str) -> None:
    axes.plot(curve["round"], curve["mean"], "o-", color=colour, label=method)
    low, high = ((curve["mean"] + sign * curve["deviation"]).clip(0, 100) for sign in (-1, 1))
    axes.fill_between(curve["round"], low, high, color=colour, alpha=0.15, lw=0)
    axes.plot(curve["round"], curve["published"], "x--", color=colour, label=f"{method}, published")


PAGE = Page(
    "as_published.md",
    parts,
    studies={STUDY: "as_published_runs.csv"},
    record=record,
    figures=lambda recorded: {"as_published.png": draw(recorded_points(recorded))},
)
