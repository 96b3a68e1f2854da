"""Every defence judged by the worst attack that a search with a fixed budget finds: docs/referee.md.

An error is the distance of a defence's mean from the honest clients', in units of what their plain mean
is expected to miss. Each seed is a search of its own on honest draws of its own, and confirmed on fresh
ones; the worst attack of all seeds is confirmed once more, on draws by which nothing was chosen.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..grid.claims import mean_and_interval
from ..grid.markdown import markdown_table
from ..grid.study_run import FAILED, INTERRUPTED
from ..referee.adaptive_search import REPEATED_ON, error_of
from ..referee.honest_draws import Case
from ..referee.judged_defences import defence_named, judged_names
from ..referee.referee_cells import (
    CASES,
    FOLDER,
    Verdict,
    as_table,
    cells_of,
    gathered,
    judge,
    judge_all,
)
from ..referee.update_attack import UpdateAttack
from .page import Page, StudyOptions

CSV, WORST_CSV = "referee.csv", "referee_worst.csv"
BUDGET, SEEDS = 40, 5
"""Of the recorded table: so many tries a search, and searches a defence and case."""
SHOWN = {
    "IID, 20%": "digits-iid/20/0.2",
    "IID, 40%": "digits-iid/20/0.4",
    "Dirichlet, 20%": "digits-dirichlet/20/0.2",
    "Dirichlet, 40%": "digits-dirichlet/20/0.4",
}
"""Cases with columns of their own, by what they are called there."""


def measure(run: StudyOptions, recorded: Path) -> int:
    """Judge what is not judged yet, and record the cases in which every defence is.

    Returns
    -------
    int
        0; where time was up before, `FAILED`, or `INTERRUPTED` if no case is judged in full.
    """
    defences = judged_names()
    cells = cells_of(defences, CASES, BUDGET, run.seeds or SEEDS)
    coming = judge_all(cells, run.results / FOLDER, judge, Verdict, run.jobs, run.minutes)
    verdicts = gathered(coming, cells, counted=True)
    whole = whole_cases(verdicts, len(cells) // len(CASES))
    if not whole:
        print("no case is judged in full yet; run this again", file=sys.stderr)
        return INTERRUPTED
    table = as_table(whole)
    table.round(4).to_csv(recorded / CSV, index=False)
    confirmed(table).round(4).to_csv(recorded / WORST_CSV, index=False)
    return 0 if len(whole) == len(cells) else FAILED


def whole_cases(verdicts: Sequence[Verdict], per_case: int) -> list[Verdict]:
    """Return the verdicts of the cases of which none is missing."""
    judged = [verdict.case for verdict in verdicts]
    return [verdict for verdict in verdicts if judged.count(verdict.case) == per_case]


def confirmed(table: pd.DataFrame) -> pd.DataFrame:
    """Return each defence's worst attack, with its error on draws by which it was not chosen."""
    rows = []
    for defence, own in table.groupby("defence", sort=False):
        worst = own.sort_values("error").iloc[-1]
        attack, case = UpdateAttack.parse(str(worst["attack"])), Case.parse(str(worst["case"]))
        errors = error_of(defence_named(str(defence)), case, attack, REPEATED_ON)
        row = {"defence": defence, "case": str(case), "attack": str(attack), "found": worst["error"]}
        rows.append(row | {"error": float(errors.mean()), "highest": float(errors.max())})
    return pd.DataFrame(rows)


def leaderboard(table: pd.DataFrame) -> str:
    """Return the table of defences as Markdown, the least mean error first."""
    rows = []
    for defence, own in table.groupby("defence", sort=False):
        by_seed = own.pivot(index="seed", columns="case", values="error")
        row = {"defence": f"`{defence}`", "mean": _shown(by_seed.mean(axis=1))}
        row["worst"] = _shown(by_seed.max(axis=1))
        row |= {title: _shown(by_seed[case]) for title, case in SHOWN.items() if case in by_seed}
        row["no attack"] = _shown(own.groupby("seed")["unattacked"].mean())
        row["minority missing"] = _shown(own.groupby("seed")["minority"].mean())
        row["ms"] = f"{1000 * own['seconds'].median():.1f}"
        rows.append((by_seed.to_numpy().mean(), row))
    return markdown_table(pd.DataFrame([row for _, row in sorted(rows, key=lambda ranked: ranked[0])]))


def worst_attacks(worst: pd.DataFrame) -> str:
    """Return each defence's worst attack as Markdown: the error, and what repeats it."""
    table = worst.sort_values("error").drop(columns="found")
    for name in ("defence", "case", "attack"):
        table[name] = "`" + table[name] + "`"
    for name in ("error", "highest"):
        table[name] = [_number(error) for error in table[name]]
    return markdown_table(table)


def what_is_recorded(table: pd.DataFrame) -> str:
    """Return in a sentence which searches the tables are made of."""
    cases = ", ".join(f"`{case}`" for case in table["case"].unique())
    tries = table["budget"].iloc[0]
    return (
        f"Recorded are {table['seed'].nunique()} searches of {tries} tries for each of "
        f"{table['defence'].nunique()} defences in each of {table['case'].nunique()} cases: {cases}."
    )


def _shown(by_seed: pd.Series) -> str:
    """Return the mean over the seeds with half of its 95% interval."""
    if by_seed.isin([math.inf]).any():
        return "unbounded"
    mean, low, high = mean_and_interval(by_seed)
    return _number(mean) if math.isnan(low) else f"{mean:.2f} ± {(high - low) / 2:.2f}"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "unbounded"


def parts(recorded: Path) -> dict[str, str]:
    """Return the document's parts."""
    if not (recorded / CSV).is_file():
        told = "Nothing is recorded yet: `python -m experiments page referee` makes the two tables."
        return {"recorded": told, "leaderboard": "", "worst attacks": ""}
    table = pd.read_csv(recorded / CSV)
    return {
        "recorded": what_is_recorded(table),
        "leaderboard": leaderboard(table),
        "worst attacks": worst_attacks(pd.read_csv(recorded / WORST_CSV)),
    }


PAGE = Page("referee.md", parts, measure=measure)
