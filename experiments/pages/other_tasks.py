"""Attacks against aggregators on a table and on colour images: accuracy, attack success, detection."""

from __future__ import annotations

import pandas as pd

from ..grid.markdown import markdown_table
from .page import Page

CSV = "adult_and_cifar10.csv"
ACCURACY = {"adult": "test_balanced_accuracy", "cifar10": "test_accuracy"}
"""What says how good a model is: of Adult's people three quarters are of one class."""
NO_WEIGHTS = ("mean",)


def outcome_table(cells: pd.DataFrame, dataset: str) -> str:
    """Return accuracy and attack success as Markdown, means over the seeds: a row for each attack."""
    own = _with_defence(cells[cells["dataset"] == dataset])
    means = own.groupby(["attack", "defence"], sort=False)[
        [ACCURACY[dataset], "attack_success_rate"]
    ].mean()
    texts = means.apply(lambda row: f"{row.iloc[0]:.2f} / {row.iloc[1]:.2f}", axis=1)
    return markdown_table(_by_defence(texts, own))


def detection_table(cells: pd.DataFrame) -> str:
    """Return precision and recall of 'judged malicious' over all rounds, means over the seeds."""
    judged = _with_defence(cells[~cells["aggregator"].isin(NO_WEIGHTS) & (cells["attack"] != "none")])
    tables = []
    for dataset, own in judged.groupby("dataset", sort=False):
        means = own.groupby(["attack", "defence"], sort=False)[["precision", "recall"]].mean()
        texts = means.apply(
            lambda row: f"{'-' if pd.isna(row.iloc[0]) else f'{row.iloc[0]:.2f}'} / {row.iloc[1]:.2f}",
            axis=1,
        )
        table = _by_defence(texts, own)
        table.insert(0, "data", dataset)
        tables.append(table)
    return markdown_table(pd.concat(tables))


def _with_defence(cells: pd.DataFrame) -> pd.DataFrame:
    tilt = cells["performance-aware"].map({True: " + tilt", False: ""})
    return cells.assign(defence=cells["aggregator"] + tilt)


def _by_defence(texts: pd.Series, cells: pd.DataFrame) -> pd.DataFrame:
    table = texts.unstack("defence").loc[cells["attack"].unique(), cells["defence"].unique()]
    return table.rename_axis(columns=None).fillna("").reset_index()


PAGE = Page(
    "tasks.md",
    lambda recorded: {
        "adult": outcome_table(pd.read_csv(recorded / CSV), "adult"),
        "cifar10": outcome_table(pd.read_csv(recorded / CSV), "cifar10"),
        "detection": detection_table(pd.read_csv(recorded / CSV)),
    },
    studies={"adult-and-cifar10": CSV},
)
