"""``python -m experiments referee``: search the worst attack on a defence, or repeat one."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from pawbrofl_app.settings.command_line import at_least

from ..grid.markdown import markdown_table
from ..grid.study import RESULTS
from .arenas import ARENAS
from .referee_cells import as_table, cells_of, gathered


def add_referee(commands: Any) -> None:
    """Add the command to the parser's."""
    command = commands.add_parser("referee", help="search the attack that a defence stands worst")
    command.add_argument(
        "aggregator", nargs="*", help="as in the run config, or module:Class; default: all there are"
    )
    command.add_argument(
        "--arena",
        choices=list(ARENAS),
        default="updates",
        help="one aggregation, by its error, or whole training runs, by accuracy and attack success",
    )
    command.add_argument(
        "--case",
        action="append",
        metavar="KIND/CLIENTS/EPSILON",
        help="default: "
        + "; ".join(f"of {name} {', '.join(arena.cases)}" for name, arena in ARENAS.items()),
    )
    command.add_argument("--budget", type=at_least(1), metavar="N", help="tries a search")
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
    arena = ARENAS[options.arena]
    defences, cases = options.aggregator or arena.defences(), options.case or arena.cases
    for defence in defences:
        for case in cases:
            arena.check(defence, case, options.attack)
    if options.attack is not None:
        table = arena.tries(options.attack, defences, cases, options.results, options.jobs)
        print(markdown_table(table, digits=2))
        return 0
    cells = cells_of(defences, cases, options.budget or arena.budget, options.seeds)
    coming = arena.verdicts(cells, options.results, options.jobs, options.minutes)
    verdicts = gathered(coming, cells)
    if options.csv and verdicts:
        as_table(verdicts).round(4).to_csv(options.csv, index=False)
    if len(verdicts) < len(cells):
        print(f"{len(cells) - len(verdicts)} of {len(cells)} are left; run this again")
    return 0
