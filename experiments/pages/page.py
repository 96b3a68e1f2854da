"""A generated page of the documentation: its parts between two marks, and its figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ..grid.cell_folder import CellFolder, folders_of
from ..grid.study import Study
from ..grid.study_run import FAILED, run_study

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECORDED = Path(__file__).resolve().parents[1] / "recorded"
"""What was measured: CSV files, a row a run or what the page says of it, and the figures of them."""
FIGURES = "figures"
Runs = Mapping[str, list[CellFolder]]
"""The records of each study's runs, by its name."""


@dataclass(frozen=True)
class Page:
    """What a page has that is made by code.

    Attributes
    ----------
    document : str
        The file of ``docs/`` that holds the parts.
    parts : callable
        Maps the folder of the CSV files to each part's content by its name.
    studies : mapping of str to str
        The studies that the page is about, each with the CSV file for its runs, one row each.
    measure : callable, optional
        Measures what is no study's run and writes its CSV files into the folder of these; returns a
        status as `run_study` does.
    record : callable, optional
        Writes what else is to be recorded of these runs: given their folders and that of the CSV files.
    figures : callable, optional
        Maps the folder of the CSV files to the figures that are drawn of them, by file name.
    compact : mapping of str to callable
        By CSV file, what makes the rows to record of those of the study's cells.
    measured : bool
        Whether making the parts takes minutes of measuring, of which nothing is recorded.
    """

    document: str
    parts: Callable[[Path], Mapping[str, str]]
    studies: Mapping[str, str] = field(default_factory=dict)
    measure: Callable[[StudyOptions, Path], int] | None = None
    record: Callable[[Runs, Path], None] | None = None
    figures: Callable[[Path], Mapping[str, Figure]] | None = None
    compact: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = field(default_factory=dict)
    measured: bool = False


@dataclass(frozen=True)
class StudyOptions:
    """How a page's studies are run; see `run_study`."""

    results: Path
    seeds: int | None = None
    jobs: int | None = None
    minutes: float = math.inf


def make(page: Page, docs: Path, recorded: Path, run: StudyOptions | None) -> int:
    """Write a page's parts into its document, where that is there, and its CSV files and figures.

    Parameters
    ----------
    page : Page
    docs : Path
        The documents' folder.
    recorded : Path
        That of CSV files, and of figures in its `FIGURES`.
    run : StudyOptions, optional
        Runs what is not finished of the page's studies first. None: what is recorded stands.

    Returns
    -------
    int
        0 if every run finished, else the status of the study that did not.
    """
    (recorded / FIGURES).mkdir(parents=True, exist_ok=True)
    status = _record(page, recorded, run) if run and page.studies else 0
    if run and page.measure and status <= FAILED:
        status = max(status, page.measure(run, recorded))
    if status > FAILED:
        return status
    for name, figure in (page.figures(recorded) if page.figures else {}).items():
        figure.savefig(recorded / FIGURES / name)
    document = docs / page.document
    if document.is_file():
        text = document.read_text()
        for part, content in page.parts(recorded).items():
            text = with_part(text, part, content)
        document.write_text(text)
    return status


def _record(page: Page, recorded: Path, run: StudyOptions) -> int:
    worst, runs = 0, {}
    for name, csv in page.studies.items():
        study = Study.load(name, run.seeds)
        worst = max(worst, run_study(study, run.results, run.jobs, minutes=run.minutes))
        cells = run.results / name / "cells.csv"
        if worst > FAILED or not cells.is_file():
            return worst or FAILED
        rows = pd.read_csv(cells)
        rows = page.compact[csv](rows) if csv in page.compact else rows.round(4)
        rows.to_csv(recorded / csv, index=False)
        runs[name] = folders_of(study, run.results)
    if page.record:
        page.record(runs, recorded)
    return worst


def stale_parts(page: Page, docs: Path = DOCS, recorded: Path = RECORDED) -> list[str]:
    """Return the names of a page's parts that are not what code and recorded results give."""
    text = (docs / page.document).read_text()
    parts = page.parts(recorded)
    return [part for part, content in parts.items() if with_part(text, part, content) != text]


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
