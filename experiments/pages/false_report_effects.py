"""What false reports do to the model, with reports bounded and as printed in the paper."""

from __future__ import annotations

import pandas as pd

from ..grid.markdown import markdown_table
from .page import Page

CSV = "false_reports.csv"
NO_TILT, BOUNDED, AS_PRINTED = "no tilt", "bounded", "as printed"
MEASURES = {
    "test_accuracy": "accuracy",
    "attack_success_rate": "attack success",
    "malicious_weight": "malicious weight",
}


def report_table(cells: pd.DataFrame) -> str:
    """Return mean and standard deviation over the seeds, bounded beside as printed, as Markdown."""
    split = cells["attack"].str.extract(r"^(?P<update>.+?)(?:\+(?P<report>[a-z]+)-report)?$")
    named = cells.assign(update=split["update"], report=split["report"].fillna("(no tilt)"))
    bounds = named["bound-reports"].map({True: BOUNDED, False: AS_PRINTED})
    named["tilt"] = bounds.where(named["performance-aware"], NO_TILT)
    rows = []
    for (aggregator, update, report), part in named.groupby(
        ["aggregator", "update", "report"], sort=False
    ):
        row = {"aggregator": aggregator, "update": update, "report": report}
        for measure, title in MEASURES.items():
            for tilt in (BOUNDED, AS_PRINTED):
                chosen = part[part["tilt"].isin([tilt, NO_TILT])]
                row[f"{title}, {tilt}"] = _mean_and_spread(chosen[measure])
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def _mean_and_spread(values: pd.Series) -> str:
    spread = f" ± {values.std():.3f}" if len(values) > 1 else ""
    return f"{values.mean():.3f}{spread}"


PAGE = Page(
    "performance_reports.md",
    lambda recorded: {"false reports": report_table(pd.read_csv(recorded / CSV))},
    studies={"false-reports": CSV},
)
