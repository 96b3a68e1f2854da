"""Runs a study with its progress on the terminal, and writes its tables and report."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from .cell_folder import CellFolder, folders_of
from .cell_run import Engine
from .report import write_report
from .results import finished_cells
from .runner import run_cells
from .study import Study
from .study_progress import StudyProgress
from .table import as_markdown, over_seeds

FAILED, IN_USE, INTERRUPTED = 1, 2, 130


def run_study(
    study: Study,
    results: Path,
    jobs: int | None = None,
    engine: Engine = "in-process",
    minutes: float = math.inf,
) -> int:
    """Run the cells that are not finished, then report; return the command's exit status.

    Parameters
    ----------
    study : Study
    results : Path
        Holds a folder for each study.
    jobs : int, optional
        How many cells to run at once; by default one a core, and one under Ray.
    engine : "in-process" or "ray"
    minutes : float
        After which no cell is begun any more; the same study goes on another time.

    Returns
    -------
    int
        0 if every cell is finished, else `FAILED`, `IN_USE` or `INTERRUPTED`; after these two nothing is
        reported.
    """
    folders = folders_of(study, results)
    jobs = jobs or (1 if engine == "ray" else os.cpu_count() or 1)
    (results / study.name).mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(results / study.name / ".lock", timeout=0)
        with lock, StudyProgress(folders) as progress:
            failed = run_cells(folders, jobs, engine, progress.look, 60 * minutes)
    except Timeout:
        print(f"error: {study.name} is being run in {results} already", file=sys.stderr)
        return IN_USE
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    report_study(study, folders, results)
    for folder in failed:
        print(f"failed: {folder.cell.name}, see {folder.log}", file=sys.stderr)
    return FAILED if failed else 0


def report_study(study: Study, folders: Sequence[CellFolder], results: Path) -> int:
    """Print the finished cells' table, write it and ``report.html``; `FAILED` where there are none."""
    cells = finished_cells(folders, study.measures)
    if cells.empty:
        print(f"no cell of {study.name} is finished in {results}", file=sys.stderr)
        return FAILED
    table = over_seeds(cells, study.varied)
    for name, content in (("cells.csv", cells), ("table.csv", table)):
        content.to_csv(results / study.name / name, index=False)
    print(as_markdown(table))
    report = results / study.name / "table.csv"
    if study.keep == "everything":
        report = write_report(study, folders, results / study.name)
    print(f"\n{len(cells)} of {len(folders)} cells are finished. Report: {report.resolve()}")
    return 0
