"""What false reports do to the model, with reports bounded and as printed in the paper.

    python -m experiments.false_reports

Runs what is not finished of the study ``false-reports`` and writes into ``--out``:
``false_reports.csv``, one row a run. Where ``--out`` holds ``performance_reports.md``, its table is made
anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .__main__ import main as experiments
from .markdown import markdown_table
from .pages import DOCS, write_part

STUDY = "false-reports"
NO_TILT, BOUNDED, AS_PRINTED = "no tilt", "bounded", "as printed"
MEASURES = {
    "test_accuracy": "accuracy",
    "attack_success_rate": "attack success",
    "malicious_weight": "malicious weight",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study and write its results; 0 if every run finished."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at once; default: cores")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=DOCS, metavar="DIR")
    options = parser.parse_args(arguments)
    command = ["run", STUDY, "--results", str(options.results)]
    if options.jobs:
        command += ["--jobs", str(options.jobs)]
    status = experiments(command)
    cells = pd.read_csv(options.results / STUDY / "cells.csv").round(4)
    options.out.mkdir(parents=True, exist_ok=True)
    cells.to_csv(options.out / "false_reports.csv", index=False)
    if (options.out / "performance_reports.md").is_file():
        write_part(options.out / "performance_reports.md", "false reports", report_table(cells))
    return status


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


if __name__ == "__main__":
    raise SystemExit(main())
