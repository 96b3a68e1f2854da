"""How an honest minority fares under the plain mean and the default, with and without an attack."""

from __future__ import annotations

import pandas as pd

from ..grid.markdown import markdown_table
from .page import Page

CSV = "minorities.csv"
MEASURES = {
    "majority_accuracy": "majority",
    "minority_accuracy": "minority",
    "minority_weight": "minority's weight",
    "minority_judged_malicious": "minority judged malicious",
    "attack_success_rate": "attack success",
}


def minority_table(cells: pd.DataFrame) -> str:
    """Return means and deviations over the seeds as Markdown, a row for each way of aggregating."""
    rows = []
    for (minority, attack, aggregator), part in cells.groupby(
        ["minority", "attack", "aggregator"], sort=False
    ):
        row = {"minority": minority, "attack": attack, "aggregator": aggregator}
        for measure, title in MEASURES.items():
            row[title] = f"{part[measure].mean():.2f} ± {part[measure].std():.2f}"
        rows.append(row)
    table = pd.DataFrame(rows).sort_values(["minority", "attack"], ascending=False, kind="stable")
    return markdown_table(table)


PAGE = Page(
    "minorities.md",
    lambda docs: {"minorities": minority_table(pd.read_csv(docs / CSV))},
    studies={"minorities": CSV},
)
