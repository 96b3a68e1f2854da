"""How evenly clients with unlike data are served, whom weightings drop, and what the tilt changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..grid.claims import mean_and_interval
from ..grid.markdown import markdown_table
from ..grid.study_figures import in_order
from .dropped_clients import dropped_and_kept, dropped_share
from .page import Page, Runs

CELLS, BOUNDS, DROPPED = "heterogeneity.csv", "max_tilt.csv", "heterogeneity_dropped.csv"
SETTING = ("data", "attack", "weighting")
MEASURES = {
    "honest_accuracy": "accuracy, mean",
    "worst_honest_accuracy": "accuracy, worst 10%",
    "worst_honest_loss": "loss, worst 10%",
    "honest_loss_variance": "variance of the loss",
}
MIXED = " + mixing"
SAME = 0.01
"""Losses closer than that are called the same."""
VERDICTS = ("better off", "worse off", "the same", "not decided")


def record(runs: Runs, recorded: Path) -> None:
    """Write whom the weightings dropped: the share of each run, and what these clients are like."""
    finished = [folder for folder in runs["heterogeneity"] if folder.finished]
    cells = pd.read_csv(recorded / CELLS)
    cells["dropped"] = [round(dropped_share(folder), 4) for folder in finished]
    cells.to_csv(recorded / CELLS, index=False)
    by = ("partition", "dirichlet-alpha", "attack", "pre-aggregation", "aggregator")
    plain = [folder for folder in finished if not folder.cell.config.tilt.performance_aware]
    dropped_and_kept(plain, by).round(4).to_csv(recorded / DROPPED, index=False)


def tables(cells: pd.DataFrame, bounds: pd.DataFrame, dropped: pd.DataFrame) -> dict[str, str]:
    """Return the page's tables in Markdown, by the name of their part.

    Parameters
    ----------
    cells, bounds, dropped : DataFrame
        What the three CSV files hold.
    """
    runs = named(cells)
    return {
        "answer": f"{plain_answer(runs)}\n\n{markdown_table(answer(runs))}",
        "served": markdown_table(served(runs)),
        "tilt": markdown_table(differences(*with_and_without_tilt(runs))),
        "mixing": markdown_table(differences(*with_and_without_mixing(runs))),
        "bound": markdown_table(wider_bounds(runs, named(bounds))),
        "dropped": markdown_table(described(named(dropped))),
    }


def named(cells: pd.DataFrame) -> pd.DataFrame:
    """Return cells with `SETTING` as a reader knows it: data, attack, and weighting with its mixing."""
    skewed = "Dirichlet " + cells["dirichlet-alpha"].astype(str)
    named = cells.assign(
        data=skewed.where(cells["partition"] == "dirichlet", "IID"),
        attack=cells["attack"].replace("none", "no attack"),
    )
    if "pre-aggregation" in cells:
        mixed = cells["pre-aggregation"].map({"none": "", "nearest-neighbor-mixing": MIXED})
        return named.assign(weighting=cells["aggregator"] + mixed)
    return named.assign(weighting="coalition-filtering")


def served(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what the last model achieves on honest clients' own data without tilt; means over seeds."""
    plain = runs[~runs["performance-aware"]]
    shown = {"test_accuracy": "test accuracy", **MEASURES, "dropped": "honest clients dropped"}
    means = plain.groupby(list(SETTING), sort=False)[list(shown)].mean()
    return means.rename(columns=shown).reset_index()


def with_and_without_tilt(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs with the tilt, and those without it."""
    return runs[runs["performance-aware"]], runs[~runs["performance-aware"]]


def with_and_without_mixing(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs with nearest-neighbour mixing, without tilt, and their like without mixing."""
    plain = runs[~runs["performance-aware"]]
    mixed = plain["weighting"].str.endswith(MIXED)
    unmixed = plain[~mixed & (plain["data"] != "IID")]
    bare = plain["weighting"].str.removesuffix(MIXED)
    return plain.assign(weighting=bare)[mixed], unmixed


def paired(changed: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Return differences between runs of the same setting and seed, indexed by setting and seed."""
    key = [*SETTING, "seed"]
    columns = [*MEASURES, "test_accuracy", "attack_success_rate"]
    difference = changed.set_index(key)[columns] - base.set_index(key)[columns]
    return difference.loc[[place for place in changed.set_index(key).index if place in difference.index]]


def differences(changed: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Return mean paired differences of every setting with their 95% intervals, and a verdict."""
    rows = []
    for setting, part in paired(changed, base).groupby(level=list(SETTING), sort=False):
        row = dict(zip(SETTING, setting, strict=True))
        row |= {title: _with_interval(part[name]) for name, title in MEASURES.items()}
        rows.append(row | {"the worst-off are": verdict(part["worst_honest_loss"])})
    return pd.DataFrame(rows)


def verdict(loss_differences: pd.Series) -> str:
    """Return whether the loss of the worst 10% falls, rises, stays the same, or nothing can be told."""
    _, low, high = mean_and_interval(loss_differences)
    if max(-low, high) <= SAME:
        return "the same"
    return "better off" if high < 0 else "worse off" if low > 0 else "not decided"


def plain_answer(runs: pd.DataFrame) -> str:
    """Return in words, by data and attack, whether the tilt serves the worst-off better."""
    pairs = paired(*with_and_without_tilt(runs))
    robust = pairs[pairs.index.get_level_values("weighting") != "mean"]
    said = dict(zip(VERDICTS, ("yes", "no, worse", "no difference", "cannot be told"), strict=True))
    lines = []
    for (data, attack), part in robust.groupby(level=["data", "attack"], sort=False):
        by_seed = part.groupby(level="seed").mean()
        lines.append(
            f"- **{data}, {attack}: {said[verdict(by_seed['worst_honest_loss'])]}.** Over all robust "
            f"weightings, the tilt changes the loss of the worst 10% by "
            f"{_with_interval(by_seed['worst_honest_loss'])}, their accuracy by "
            f"{_with_interval(by_seed['worst_honest_accuracy'])}, and the mean accuracy by "
            f"{_with_interval(by_seed['honest_accuracy'])}; the loss of the worst 10% falls in "
            f"{int((part['worst_honest_loss'] < 0).sum())} of {len(part)} pairs of runs."
        )
    return "\n".join(lines)


def answer(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what the tilt changes over many settings at once.

    Differences are averaged over the settings for every seed; intervals are over the seeds.
    """
    pairs = paired(*with_and_without_tilt(runs))
    robust = pairs[pairs.index.get_level_values("weighting") != "mean"]
    scopes = {
        "all robust weightings": robust,
        **{f"... {name}": robust.xs(name, level="attack") for name in in_order(runs["attack"])},
        **{f"... {name}": robust.xs(name, level="data") for name in in_order(runs["data"])},
        "coalition-filtering": pairs.xs("coalition-filtering", level="weighting"),
        "mean": pairs.xs("mean", level="weighting"),
    }
    rows = []
    for scope, part in scopes.items():
        by_seed = part.groupby(level="seed").mean()
        levels = [name for name in SETTING if name in part.index.names]
        verdicts = part["worst_honest_loss"].groupby(level=levels).apply(verdict)
        counts = [int((verdicts == kind).sum()) for kind in VERDICTS]
        row = {"tilt minus no tilt": scope}
        row |= {title: _with_interval(by_seed[name]) for name, title in MEASURES.items()}
        rows.append(row | {"settings better / worse / same / not decided": " / ".join(map(str, counts))})
    return pd.DataFrame(rows)


def wider_bounds(runs: pd.DataFrame, bounds: pd.DataFrame) -> pd.DataFrame:
    """Return what wider bounds on the tilt change against ``max-tilt`` 2, paired by seed."""
    bounded, _ = with_and_without_tilt(runs)
    shown = MEASURES | {"attack_success_rate": "attack success"}
    rows = []
    for name, part in {
        "max-tilt 10": bounds[bounds["bound-reports"]],
        "as printed, no bound": bounds[~bounds["bound-reports"]],
    }.items():
        for setting, pairs in paired(part, bounded).groupby(level=list(SETTING), sort=False):
            row = {"bound": name} | dict(zip(SETTING[:2], setting, strict=False))
            row["seeds"] = len(pairs)
            row |= {title: _with_interval(pairs[one]) for one, title in shown.items()}
            rows.append(row | {"the worst-off are": verdict(pairs["worst_honest_loss"])})
    return pd.DataFrame(rows)


def described(dropped: pd.DataFrame) -> pd.DataFrame:
    """Return what dropped clients are like, each number beside that of the kept ones."""
    some = dropped[dropped["dropped"] > 0]
    table = some[list(SETTING)].assign(dropped=some["dropped"].map("{:.1%}".format))
    for name, digits in (("samples", 0), ("labels", 1), ("label_distance", 2), ("loss_gap", 2)):
        both = zip(some[f"{name}_dropped"], some[f"{name}_kept"], strict=True)
        title = f"{name.replace('_', ' ')}, dropped / kept"
        table[title] = [f"{gone:.{digits}f} / {kept:.{digits}f}" for gone, kept in both]
    return table


def draw(runs: pd.DataFrame) -> Figure:
    """Draw what the tilt changes for the worst 10% in every setting: means and 95% intervals."""
    pairs = paired(*with_and_without_tilt(runs))
    data, colours = in_order(runs["data"]), {"no attack": "C0", "dba": "C3"}
    weightings = in_order(runs["weighting"])[::-1]
    figure = Figure((4 * len(data), 6.4), dpi=110, layout="constrained")
    axes = figure.subplots(2, len(data), sharex="row", sharey=True)
    for row, measure in zip(axes, ("worst_honest_loss", "worst_honest_accuracy"), strict=True):
        for panel, name in zip(row, data, strict=True):
            for shift, (attack, colour) in zip((0.15, -0.15), colours.items(), strict=True):
                part = pairs[measure].xs((name, attack), level=("data", "attack"))
                for weighting, values in part.groupby(level="weighting"):
                    mean, low, high = mean_and_interval(values)
                    y = weightings.index(str(weighting)) + shift
                    panel.plot([low, high], [y, y], color=colour, lw=2, alpha=0.6)
                    panel.plot(mean, y, "o", color=colour, ms=5)
                panel.plot([], [], "o-", color=colour, label=attack)
            panel.axvline(0, color="0.5", lw=1)
            panel.set(title=name, xlabel=f"{MEASURES[measure]}: tilt minus no tilt")
            panel.set_yticks(np.arange(len(weightings)), weightings)
            panel.grid(axis="x", alpha=0.3)
    axes[0, -1].legend(fontsize=8)
    return figure


def _with_interval(values: pd.Series) -> str:
    mean, low, high = mean_and_interval(values)
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" if np.isfinite(low) else f"{mean:+.3f}"


PAGE = Page(
    "heterogeneity.md",
    lambda recorded: tables(*(pd.read_csv(recorded / name) for name in (CELLS, BOUNDS, DROPPED))),
    studies={"heterogeneity": CELLS, "max-tilt": BOUNDS},
    record=record,
    figures=lambda recorded: {"tilt_and_fairness.png": draw(named(pd.read_csv(recorded / CELLS)))},
)
