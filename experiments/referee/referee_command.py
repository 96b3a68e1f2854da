"""``python -m experiments referee``: search the worst attack on a defence, or repeat one."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pawbrofl_app.settings.command_line import at_least

from ..grid.markdown import markdown_table
from ..grid.study import RESULTS
from .adaptive_search import REPEATED_ON, error_of
from .honest_draws import Case
from .judged_defences import defence_named, judged_names
from .referee_cells import CASES, FOLDER, as_table, cells_of, judge_all
from .update_attack import UpdateAttack

BUDGET = 400


def add_referee(commands: Any) -> None:
    """Add the command to the parser's."""
    command = commands.add_parser("referee", help="search the attack that a defence stands worst")
    command.add_argument(
        "aggregator", nargs="*", help="as in the run config, or module:Class; default: all there are"
    )
    command.add_argument(
        "--case", action="append", metavar="KIND/CLIENTS/EPSILON", help=f"default: {', '.join(CASES)}"
    )
    command.add_argument(
        "--budget", type=at_least(1), default=BUDGET, metavar="N", help="tries a search"
    )
    command.add_argument(
        "--seeds", type=at_least(1), default=1, metavar="N", help="searches of each, with seeds 1 to N"
    )
    command.add_argument("--attack", metavar="TEXT", help="try this one on fresh draws, search none")
    command.add_argument("--results", type=Path, default=Path(RESULTS), metavar="DIR")
    command.add_argument("--csv", type=Path, metavar="FILE", help="write the verdicts there")
    command.add_argument("--jobs", type=at_least(1), metavar="N", help="cases at once; default: cores")
    command.add_argument(
        "--minutes", type=float, default=math.inf, metavar="N", help="begin no case after so many"
    )
    command.set_defaults(run=run_referee)


def run_referee(options: argparse.Namespace) -> int:
    """Run the command and return its exit status.

    Raises
    ------
    InvalidStudy
        For a defence, case or attack that there is not, before anything is searched.
    """
    defences, cases = options.aggregator or judged_names(), options.case or CASES
    for defence in defences:
        defence_named(defence)
    for case in cases:
        Case.parse(case)
    if options.attack is not None:
        return _repeat(defences, cases, UpdateAttack.parse(options.attack))
    cells = cells_of(defences, cases, options.budget, options.seeds)
    verdicts = []
    for verdict in judge_all(cells, options.results / FOLDER, options.jobs, options.minutes):
        print(verdict, flush=True)
        verdicts.append(verdict)
    verdicts.sort(key=lambda verdict: cells.index(verdict.cell))
    if options.csv and verdicts:
        as_table(verdicts).round(4).to_csv(options.csv, index=False)
    if len(verdicts) < len(cells):
        print(f"{len(cells) - len(verdicts)} of {len(cells)} are left; run this again")
    return 0


def _repeat(defences: Sequence[str], cases: Sequence[str], attack: UpdateAttack) -> int:
    rows = []
    for defence in defences:
        for case in cases:
            errors = error_of(defence_named(defence), Case.parse(case), attack, REPEATED_ON)
            shown = {"mean": float(np.mean(errors)), "worst": float(errors.max())}
            rows.append({"aggregator": defence, "case": case, **shown})
    print(markdown_table(pd.DataFrame(rows), digits=2))
    return 0
