"""What each departure of the authors' code changes: everything as published, then one put right.

    python -m experiments.as_published.corrections

Runs what is not finished of the study ``corrections`` and writes into ``--out``: ``corrections.csv``,
one row a run, and, where ``as_published.md`` is there, its table of corrections anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..grid.results import rounds_of
from ..grid.study import DEPARTURES
from ..pages.markdown import markdown_table
from ..pages.page import run_for_page, write_part
from .departures import departures_named

STUDY = "corrections"
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study and write its results; 0 if every run finished."""
    run = run_for_page(STUDY, "corrections.csv", __doc__, arguments)
    page = run.out / "as_published.md"
    if page.is_file():
        write_part(page, "corrections", corrections_table(run.cells, rounds_of(run.folders)))
    return run.status


def corrections_table(cells: pd.DataFrame, rounds: pd.DataFrame) -> str:
    """Return, for each correction, the last round beside that of everything as published.

    Parameters
    ----------
    cells : DataFrame
        As `study_records.finished_cells` returns it; the first one is everything as published.
    rounds : DataFrame
        As `study_records.rounds_of` returns it.
    """
    varied = list(cells.columns[: list(cells.columns).index("seed")])
    last = rounds[rounds["round"] == rounds["num-rounds"]]
    last = last.merge(cells[[*varied, "seed", "malicious_weight"]], on=[*varied, "seed"])
    published = last.loc[_is(last, cells.iloc[0], varied)].set_index("seed")
    rows = []
    for _, part in last.groupby(varied, sort=False):
        paired = part.set_index("seed")
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


def _is(rounds: pd.DataFrame, settings: pd.Series, varied: Sequence[str]) -> pd.Series:
    same = pd.Series(True, index=rounds.index)
    for name in varied:
        same &= rounds[name] == settings[name]
    return same


def _name(row: pd.Series, published: pd.Series, varied: Sequence[str]) -> str:
    changed = [name for name in varied if name != DEPARTURES and row[name] != published[name]]
    dropped = departures_named("all") - departures_named(row[DEPARTURES])
    if len(changed) + len(dropped) > 2:
        return "everything"
    return ", ".join(NAMES[name].format(row.get(name)) for name in [*changed, *dropped]) or "nothing"


if __name__ == "__main__":
    raise SystemExit(main())
