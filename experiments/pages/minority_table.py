"""How an honest minority fares under the mean, the default and branches, with and without an attack."""

from __future__ import annotations

import pandas as pd

from ..grid.markdown import markdown_table, mean_and_deviation
from .bounded_shares import CSV as BOUNDED_SHARES
from .bounded_shares import bounded_shares_table
from .page import Page

CSV, AIMED_AT, SMALL = "minorities.csv", "anti_minority.csv", "small_minorities.csv"
MEASURES = {
    "majority_accuracy": "majority's accuracy",
    "minority_accuracy": "minority's accuracy",
    "minority_weight": "minority's weight",
    "minority_judged_malicious": "minority judged malicious",
    "attack_success_rate": "attack success",
}
IN_SHORT = {
    ("mean", 0, "none"): "mean, nobody attacks",
    ("coalition-filtering", 0, "none"): "default, nobody attacks",
    ("coalition-filtering", 2, "none"): "branches, nobody attacks",
    ("mean", 0, "dba"): "mean, four attackers",
    ("coalition-filtering", 0, "dba"): "default, four attackers",
    ("coalition-filtering", 2, "dba"): "branches, four attackers",
}
"""Aggregator, branches and attack of what is shown in short, as the tables' readers call them."""


def minority_table(cells: pd.DataFrame) -> str:
    """Return means and deviations over the seeds as Markdown, a row for each way of aggregating."""
    by = ["minority", "attack", "aggregator", "branches"]
    rows = []
    for names, part in cells.sort_values(by, key=_order, kind="stable").groupby(by, sort=False):
        row = dict(zip(by, names, strict=True))
        for measure, title in MEASURES.items():
            row[title] = mean_and_deviation(part[measure])
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def short_table(cells: pd.DataFrame) -> str:
    """Return the minority's accuracy alone: a row a kind of minority, a column a way of aggregating."""
    rows = []
    for minority, part in cells.groupby("minority", sort=False):
        by = ["aggregator", "branches", "attack"]
        means = part.groupby(by)["minority_accuracy"].mean()
        row = {title: means[way] for way, title in IN_SHORT.items()}
        rows.append({"minority": minority, **row})
    return markdown_table(pd.DataFrame(rows), digits=2)


def aimed_at_table(cells: pd.DataFrame) -> str:
    """Return the same of attackers who aim at the minority, whom half of it may be vouched against."""
    names = cells["aggregator"].str.replace("coalition-filtering", "default")
    names += cells["branches"].fillna(0).gt(0).map({True: ", 2 branches", False: ""})
    names += cells["vouched"].notna().map({True: ", half of the minority vouched for", False: ""})
    rows = []
    grouped = cells.assign(method=names).groupby(["minority", "method"], sort=False)
    for (minority, method), part in grouped:
        row = {"minority": minority, "aggregator": method}
        for measure in ("majority_accuracy", "minority_accuracy"):
            row[MEASURES[measure]] = mean_and_deviation(part[measure])
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def small_table(cells: pd.DataFrame) -> str:
    """Return the minority's accuracy where it is two clients, without and with branches."""
    rows = []
    by = ["cohort-size", "minority", "attack"]
    for (clients, minority, attack), part in cells.groupby(by, sort=False):
        row = {"clients": clients, "minority": minority, "attack": attack}
        for branches, title in ((0, "without branches"), (2, "two branches")):
            row[title] = mean_and_deviation(part["minority_accuracy"][part["branches"] == branches])
        branched = part[part["branches"] == 2]
        for measure in ("majority_accuracy", "attack_success_rate"):
            row[f"{MEASURES[measure]}, two branches"] = mean_and_deviation(branched[measure])
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def _order(column: pd.Series) -> pd.Series:
    """Return each value's place in the study's order."""
    return column.map({value: place for place, value in enumerate(column.unique())})


PAGE = Page(
    "minorities.md",
    lambda recorded: {
        "minorities": minority_table(pd.read_csv(recorded / CSV)),
        "minorities-in-short": short_table(pd.read_csv(recorded / CSV)),
        "aimed-at": aimed_at_table(pd.read_csv(recorded / AIMED_AT)),
        "small-minorities": small_table(pd.read_csv(recorded / SMALL)),
        "bounded-shares": bounded_shares_table(pd.read_csv(recorded / BOUNDED_SHARES)),
    },
    studies={
        "minorities": CSV,
        "anti-minority": AIMED_AT,
        "small-minorities": SMALL,
        "bounded-shares": BOUNDED_SHARES,
    },
)
IN_CHOOSING = Page(
    "choosing_a_defence.md",
    lambda recorded: {"minorities-in-short": short_table(pd.read_csv(recorded / CSV))},
)
"""The same for who chooses a defence."""
