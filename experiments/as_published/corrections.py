"""What each departure of the authors' code changes: everything as published, then one put right."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..grid.markdown import markdown_table
from ..pages.page import Page
from .departures import departures_named

CSV = "corrections.csv"
DEPARTURES = "departures"
NAMES = {
    "learning-rate": "learning rate {}",
    "partition": "equal client sizes",
    "attack": "DBA",
    "block-size": "the whole update at once",
    "gap-measure": "gap on the same samples",
    "bound-reports": "bounded reports",
    "performance-aware": "no tilt",
    "gap-order": "gaps in the clients' order",
    "unnormalised": "weights sum to one",
    "weightings": "No-Regret of the paper, threshold from the data",
    "all-images": "target class not counted as success",
}
"""What the study puts right, by the setting or departure that does it."""


def corrections_table(cells: pd.DataFrame) -> str:
    """Return, for each correction, the last round beside that of everything as published.

    Parameters
    ----------
    cells : DataFrame
        As `finished_cells` returns it; the first one is everything as published.
    """
    varied = list(cells.columns[: cells.columns.get_loc("seed")])
    runs = [part.set_index("seed") for _, part in cells.groupby(varied, sort=False)]
    published, rows = runs[0], []
    for paired in runs:
        row = {"put right": _name(paired.iloc[0], published.iloc[0], varied), "seeds": len(paired)}
        for measure, title in (
            ("test_accuracy", "accuracy"),
            ("attack_success_rate", "attack success"),
        ):
            change = (paired[measure] - published[measure]).dropna()
            row[f"{title}, %"] = f"{100 * paired[measure].mean():.1f}"
            row[f"{title}, change"] = (
                "" if row["put right"] == "nothing" else ", ".join(f"{100 * c:+.1f}" for c in change)
            )
        row["malicious weight"] = f"{paired['malicious_weight'].mean():.2f}"
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def _name(row: pd.Series, published: pd.Series, varied: Sequence[str]) -> str:
    changed = [name for name in varied if name != DEPARTURES and row[name] != published[name]]
    dropped = departures_named("all") - departures_named(row[DEPARTURES])
    if len(changed) + len(dropped) > 2:
        return "everything"
    return ", ".join(NAMES[name].format(row.get(name)) for name in [*changed, *dropped]) or "nothing"


PAGE = Page(
    "as_published.md",
    lambda recorded: {"corrections": corrections_table(pd.read_csv(recorded / CSV))},
    studies={"corrections": CSV},
)
