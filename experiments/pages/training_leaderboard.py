"""Defences under the worst attack that a search finds on whole training runs: docs/referee.md."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from ..grid.markdown import markdown_table
from ..grid.study_run import FAILED, INTERRUPTED
from ..referee.arenas import ARENAS
from ..referee.referee_cells import as_table, cells_of, gathered
from .page import Page, StudyOptions

CSV = "referee_training.csv"
BUDGET, SEEDS = 10, 1
"""Of the recorded table: tries of each of the two searches, and how often they are made."""
DEFENCES = ("coalition-filtering", "no-regret", "multi-krum")
CASES = ("digits-iid/20/0.2", "digits-dirichlet/20/0.2", "adult-iid/20/0.2", "adult-dirichlet/20/0.2")


def measure(run: StudyOptions, recorded: Path) -> int:
    """Judge what is not judged yet, and record what is.

    Returns
    -------
    int
        0; where time was up before, `FAILED`, or `INTERRUPTED` if nothing is judged.
    """
    cells = cells_of(DEFENCES, CASES, BUDGET, run.seeds or SEEDS)
    coming = ARENAS["training"].verdicts(cells, run.results, run.jobs, run.minutes)
    verdicts = gathered(coming, cells, counted=True)
    if not verdicts:
        print("nothing is judged yet; run this again", file=sys.stderr)
        return INTERRUPTED
    as_table(verdicts).round(4).to_csv(recorded / CSV, index=False)
    return 0 if len(verdicts) == len(cells) else FAILED


def worst_runs(table: pd.DataFrame) -> str:
    """Return a row for each defence and case as Markdown, means over the searches."""
    rows = []
    for (case, defence), own in table.groupby(["case", "defence"], sort=False):
        least = own.sort_values("accuracy").iloc[0]
        most = own.sort_values("success").iloc[-1]
        row = {"case": f"`{case}`", "defence": f"`{defence}`"}
        row["no attack"] = f"{own['unattacked'].mean():.2f}"
        row["accuracy"] = f"{own['accuracy'].mean():.2f}"
        row["under"] = f"`{least['accuracy_attack']}`"
        row["attack success"] = f"{own['success'].mean():.2f}"
        row["of"] = f"`{most['backdoor']}`"
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def what_is_recorded(table: pd.DataFrame) -> str:
    """Return in a sentence how much was searched."""
    return (
        f"Recorded are {len(table)} verdicts: {table['defence'].nunique()} defences, "
        f"{table['case'].nunique()} cases, {table['seed'].nunique()} search(es) of "
        f"{table['budget'].iloc[0]} tries for each of the two goals."
    )


def parts(recorded: Path) -> dict[str, str]:
    """Return the document's parts."""
    if not (recorded / CSV).is_file():
        told = "Nothing is recorded yet: `python -m experiments page referee-training` makes the table."
        return {"training recorded": told, "training runs": ""}
    table = pd.read_csv(recorded / CSV)
    return {"training recorded": what_is_recorded(table), "training runs": worst_runs(table)}


PAGE = Page("referee.md", parts, measure=measure)
