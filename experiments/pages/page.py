"""Pages of the documentation whose tables are made by commands: what stands between two marks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..__main__ import main as experiments
from ..grid.runner import CellFolder, folders_of
from ..grid.study import Study

DOCS = Path(__file__).resolve().parents[2] / "docs"


def with_part(page: str, part: str, content: str) -> str:
    """Return a page with new content between the marks of one of its parts.

    Raises
    ------
    ValueError
        Where the page has no such part.
    """
    begin, end = f"<!-- {part}: begin -->\n", f"<!-- {part}: end -->\n"
    if begin not in page or end not in page:
        raise ValueError(f"the page must have a part between {begin!r} and {end!r}")
    before, rest = page.split(begin)
    return f"{before}{begin}{content.strip()}\n{end}{rest.split(end)[1]}"


def write_part(path: Path, part: str, content: str) -> None:
    """Replace a part of a page in place."""
    path.write_text(with_part(path.read_text(), part, content))


@dataclass(frozen=True)
class PageRun:
    """What a page's command has to write about.

    Attributes
    ----------
    status : int
        0 if every run finished.
    cells : DataFrame
        One row a finished run, as the CSV file holds it.
    folders : list of CellFolder
        The runs' records.
    out : Path
        The folder of the file and the page.
    """

    status: int
    cells: pd.DataFrame
    folders: list[CellFolder]
    out: Path


def run_for_page(
    study: str, csv: str, description: str | None, arguments: Sequence[str] | None
) -> PageRun:
    """Run what is not finished of a study by a command of its own, and write its runs as CSV.

    Parameters
    ----------
    study : str
        Its name.
    csv : str
        Name of the file to write, one row a run.
    description : str, optional
        The command's docstring; its first line is shown as help.
    arguments : sequence of str, optional
        The command line's, by default the process's own.
    """
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, metavar="N", help="run seeds 1 to N")
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at once; default: cores")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=DOCS, metavar="DIR")
    options = parser.parse_args(arguments)
    command = ["run", study, "--results", str(options.results)]
    for name in ("seeds", "jobs"):
        if getattr(options, name):
            command += [f"--{name}", str(getattr(options, name))]
    status = experiments(command)
    cells = pd.read_csv(options.results / study / "cells.csv").round(4)
    options.out.mkdir(parents=True, exist_ok=True)
    cells.to_csv(options.out / csv, index=False)
    folders = folders_of(Study.load(study, options.seeds), options.results)
    return PageRun(status, cells, folders, options.out)
