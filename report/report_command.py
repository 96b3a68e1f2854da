"""``pawbrofl report FOLDER``: the page of a run, finished or going on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .html_page import write_page
from .run_records import NoRecords


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and return the exit status: 2 for what the user can mend."""
    parser = argparse.ArgumentParser(
        prog="pawbrofl report", description="write report.html of a run's folder, also while it runs"
    )
    parser.add_argument("folder", help="where the run's clients.csv and rounds.csv are")
    try:
        print(write_page(parser.parse_args(arguments).folder))
    except (NoRecords, ImportError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0
