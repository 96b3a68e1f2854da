"""``pawbrofl report FOLDER`` and ``pawbrofl compare FOLDER...``: pages of runs, finished or going on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .comparison_page import write_comparison
from .html_page import write_page
from .run_records import NoRecords

REPORT, COMPARE = "report", "compare"
PAGE_COMMANDS = (REPORT, COMPARE)


def main(arguments: Sequence[str]) -> int:
    """Write the page that is asked for and return the exit status: 2 for what the user can mend."""
    parser = argparse.ArgumentParser(prog="pawbrofl")
    add_page_commands(parser.add_subparsers(required=True, dest="command", metavar="COMMAND"))
    options = parser.parse_args(arguments)
    try:
        if options.command == COMPARE:
            print(write_comparison(options.folders, options.out))
        else:
            print(write_page(options.folder))
    except (NoRecords, ImportError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


def add_page_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `PAGE_COMMANDS` to a command line."""
    report = commands.add_parser(REPORT, help="write report.html of a run's folder, also while it runs")
    report.add_argument("folder", help="where the run's clients.csv and rounds.csv are")
    compare = commands.add_parser(COMPARE, help="draw several runs in one page")
    compare.add_argument("folders", nargs="+", metavar="FOLDER", help="the runs' folders")
    compare.add_argument("--out", default="compare.html", help="the page; default: compare.html")
