"""``python -m experiments``: run studies, see how far they are, and show their tables."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from .grid.report import write_report
from .grid.results import finished_cells
from .grid.runner import CellFolder, folders_of, run_cells
from .grid.study import InvalidStudy, Study, names
from .grid.study_progress import StudyProgress
from .grid.table import as_markdown, over_seeds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 2 for what the user can mend."""
    options = _parser().parse_args(arguments)
    if options.command == "list":
        for name in names():
            study = Study.load(name)
            print(f"{name:20} {len(study.cells):4} cells  {study.title}")
        return 0
    try:
        study = Study.load(options.study, options.seeds)
    except InvalidStudy as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    folders = folders_of(study, options.results)
    if options.command == "run":
        return _run(study, folders, options)
    if options.command == "status":
        return _status(folders)
    return _report(study, folders, options.results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("list", help="the studies there are")
    for name, text in (
        ("run", "run the cells that are not finished, then report"),
        ("status", "how far each cell is"),
        (
            "report",
            "show the finished cells' table; write it as CSV, and report.html with figures",
        ),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("study", help="a name that `list` shows, or a .toml file")
        command.add_argument("--seeds", type=int, help="run seeds 1 to N; default: the study's own")
        command.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
        if name == "run":
            command.add_argument("--jobs", type=int, metavar="N", help="cells at once; default: cores")
            command.add_argument("--engine", choices=("in-process", "ray"), default="in-process")
    return parser


def _run(study: Study, folders: list[CellFolder], options: argparse.Namespace) -> int:
    jobs = options.jobs or (1 if options.engine == "ray" else os.cpu_count() or 1)
    (options.results / study.name).mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(options.results / study.name / ".lock", timeout=0)
        with lock, StudyProgress(folders) as progress:
            failed = run_cells(folders, jobs, options.engine, progress.update)
    except Timeout:
        print(f"error: {study.name} is being run in {options.results} already", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    _report(study, folders, options.results)
    for folder in failed:
        print(f"failed: {folder.cell.name}, see {folder.log}", file=sys.stderr)
    return 1 if failed else 0


def _status(folders: list[CellFolder]) -> int:
    for folder in folders:
        state = "finished" if folder.finished else "failed" if folder.failed else "waiting"
        if not folder.finished and folder.run.rounds_done:
            state = f"{folder.run.rounds_done} of {folder.cell.config.federation.num_rounds} rounds"
        print(f"{state:20} {folder.cell.name}")
    return 0


def _report(study: Study, folders: list[CellFolder], results: Path) -> int:
    cells = finished_cells(folders)
    if cells.empty:
        print(f"no cell of {study.name} is finished in {results}", file=sys.stderr)
        return 1
    table = over_seeds(cells, study.varied)
    for name, content in (("cells.csv", cells), ("table.csv", table)):
        content.to_csv(results / study.name / name, index=False)
    print(as_markdown(table))
    report = write_report(study, folders, results / study.name)
    print(f"\n{len(cells)} of {len(folders)} cells are finished. Report: {report.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
