"""``python -m experiments``: studies and their tables, generated pages, the referee of defences."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from pawbrofl_app.settings.command_line import at_least

from .grid.cell_folder import CellFolder, folders_of
from .grid.study import RESULTS, InvalidStudy, Study, names, preset
from .grid.study_run import report_study, run_study
from .pages.page import DOCS, RECORDED, StudyOptions, make, stale_parts
from .pages.page_registry import PAGES, page_named, quick_pages
from .referee.referee_command import add_referee


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 2 for what the user can mend."""
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except InvalidStudy as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("list", help="the studies there are").set_defaults(run=_list)
    for name, run, text in (
        ("run", _run, "run the cells that are not finished, then report"),
        ("status", _status, "how far each cell is"),
        ("report", _report, "show the finished cells' table; write it as CSV, and report.html"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("study", help="a name that `list` shows, or a .toml file")
        _add_results(command, jobs=name == "run")
        command.set_defaults(run=run)
        if name == "run":
            command.add_argument("--engine", choices=("in-process", "ray"), default="in-process")
    flat = commands.add_parser("preset", help="print a preset's settings as `flwr run` takes them")
    flat.add_argument("name", help="a file of presets/, without its suffix")
    flat.set_defaults(run=_preset)
    page = commands.add_parser("page", help="write or check the documentation's generated pages")
    page.add_argument("name", nargs="?", choices=list(PAGES), metavar="NAME", help="which one")
    page.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="of document, CSV files and figures; default: docs/, and experiments/recorded/",
    )
    how = page.add_mutually_exclusive_group()
    how.add_argument("--list", action="store_true", help="the pages there are")
    how.add_argument(
        "--check",
        action="store_true",
        help="say which parts are not what the code and the recorded results give; without a NAME, of "
        "all pages that need no new measurement",
    )
    how.add_argument("--recorded", action="store_true", help="write from recorded results, run nothing")
    how.add_argument("--print", action="store_true", help="print the parts, write nothing")
    _add_results(page, jobs=True)
    page.set_defaults(run=_page)
    add_referee(commands)
    return parser


def _add_results(command: argparse.ArgumentParser, *, jobs: bool) -> None:
    command.add_argument("--seeds", type=int, metavar="N", help="seeds 1 to N; default: the study's own")
    command.add_argument("--results", type=Path, default=Path(RESULTS), metavar="DIR")
    if jobs:
        command.add_argument(
            "--jobs", type=at_least(1), metavar="N", help="cells at once; default: cores"
        )
        command.add_argument(
            "--minutes",
            type=float,
            default=math.inf,
            metavar="N",
            help="begin no cell after so many minutes, and report on those that are finished",
        )


def _list(_: argparse.Namespace) -> int:
    for name in names():
        study = Study.load(name)
        print(f"{name:20} {len(study.cells):4} cells  {study.title}")
    return 0


def _loaded(options: argparse.Namespace) -> tuple[Study, list[CellFolder]]:
    study = Study.load(options.study, options.seeds)
    return study, folders_of(study, options.results)


def _run(options: argparse.Namespace) -> int:
    study, _ = _loaded(options)
    if study.run and options.engine != "in-process":
        raise InvalidStudy(f"{study.run} runs its cells in-process, not under {options.engine}")
    return run_study(study, options.results, options.jobs, options.engine, options.minutes)


def _status(options: argparse.Namespace) -> int:
    for folder in _loaded(options)[1]:
        state = "finished" if folder.finished else "failed" if folder.failed else "waiting"
        if not folder.finished and folder.run.rounds_done:
            state = f"{folder.run.rounds_done} of {folder.cell.config.federation.num_rounds} rounds"
        print(f"{state:20} {folder.cell.name}")
    return 0


def _report(options: argparse.Namespace) -> int:
    return report_study(*_loaded(options), options.results)


def _preset(options: argparse.Namespace) -> int:
    for name, value in preset(options.name).items():
        print(f"{name}={json.dumps(value)}")
    return 0


def _page(options: argparse.Namespace) -> int:
    docs, recorded = (options.out, options.out) if options.out else (DOCS, RECORDED)
    if options.list:
        for name, entry in PAGES.items():
            print(f"{name:18} {entry.makes}")
        return 0
    if options.check:
        stale = {
            name: stale_parts(page_named(name), docs, recorded)
            for name in ([options.name] if options.name else quick_pages())
        }
        for name, parts in stale.items():
            for part in parts:
                print(f"{page_named(name).document}: {part!r} is not current: page {name}")
        return int(any(stale.values()))
    if not options.name:
        raise InvalidStudy(f"page must be one of {', '.join(PAGES)}")
    page = page_named(options.name)
    if options.print:
        print("\n\n".join(page.parts(recorded).values()))
        return 0
    run = (
        None
        if options.recorded
        else StudyOptions(options.results, options.seeds, options.jobs, options.minutes)
    )
    return make(page, docs, recorded, run)


if __name__ == "__main__":
    sys.exit(main())
