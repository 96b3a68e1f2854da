"""A study: a grid of runs, described in TOML.

``experiments/studies/`` holds ours. A study file::

    title = "What it asks, in a line"
    base = "paper-claims"                # optional: another study's file, over which this one is read
    preset = "mnist"                     # optional: a file of presets/
    run = "my_package.my_run"            # optional: a module that runs the cells in the app's place
    seeds = 3                            # how many, unless the command line says otherwise
    keep = "summary"                     # optional: keep only what each run comes to
    measures = ["test_accuracy"]         # optional: the columns of its table; all that are known

    [settings]                           # over the app's defaults and the preset, for all cells
    num-rounds = 20

    [[grid]]                             # one or more; each is the product of its lists
    attack = ["none", "dba"]
    aggregator = ["mean", "no-regret"]

    [every-grid]                         # optional: lists that every grid has as well; as [[every-grid]]
    mu = [0.01, 1.0]                     # several, each of which every grid is combined with

``vouched = ["half-of-minority"]`` vouches for half of the minority's clients, whom each seed draws anew;
where there is no minority, there is no such cell.
Every combination, with every seed, is a cell: one run of the app, or of the module that ``run`` names,
with that module's settings beside the app's (see `cell.RunModule`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pawbrofl_app.records.summary import MEASURES
from pawbrofl_app.settings.command_line import default_settings
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.settings.toml_files import read_toml
from pawbrofl_app.tasks.minorities import NO_MINORITY

from .cell import Cell, run_module

FOLDER = Path(__file__).resolve().parents[1]
STUDIES, PRESETS = FOLDER / "studies", FOLDER / "presets"
RESULTS = "results"
"""Where results go unless the command line says otherwise."""
PARTS = ("title", "base", "preset", "run", "seeds", "keep", "measures", "settings", "grid", "every-grid")
KEPT = ("everything", "summary")
HALF_OF_MINORITY = "half-of-minority"
"""In a study, ``vouched`` may name these clients, whom the seed draws."""
Lists = Mapping[str, list[Any]]


class InvalidStudy(ValueError):
    """A study's file cannot be read or describes no valid runs. The message names file and part."""


@dataclass(frozen=True)
class Study:
    """A named grid of runs.

    Attributes
    ----------
    name, title : str
    varied : tuple of str
        The settings that the grid varies, in the file's order.
    cells : tuple of Cell
        Ordered by seed first, so that a study cut short has whole replicas.
    run : str, optional
        The module that runs the cells; the app where there is none.
    keep : "everything" or "summary"
        What is kept of each run.
    measures : tuple of str
        The summary's measures that the table shows.
    arguments : tuple of str
        What names the study on the command line.
    """

    name: str
    title: str
    varied: tuple[str, ...]
    cells: tuple[Cell, ...]
    run: str | None = None
    keep: str = KEPT[0]
    measures: tuple[str, ...] = MEASURES
    arguments: tuple[str, ...] = ()

    @classmethod
    def load(cls, study: str, seeds: int | None = None) -> Study:
        """Read a study.

        Parameters
        ----------
        study : str
            The name of one of ``studies/``, or the path of a TOML file.
        seeds : int, optional
            Run seeds 1 to that number in place of the file's own.

        Raises
        ------
        InvalidStudy
            Naming what is wrong and what is allowed.
        """
        path = STUDIES / f"{study}.toml" if not study.endswith(".toml") else Path(study)
        if not path.is_file():
            raise InvalidStudy(
                f"study must be a .toml file or one of {', '.join(names())}, got {study!r}"
            )
        try:
            loaded = cls._parse(path.stem, read_toml(path), seeds)
            given = () if seeds is None else ("--seeds", str(seeds))
            return replace(loaded, arguments=(study, *given))
        except (InvalidSetting, InvalidStudy) as problem:
            raise InvalidStudy(f"{path}: {problem}") from problem

    @classmethod
    def _parse(cls, name: str, content: Mapping[str, Any], seeds: int | None) -> Study:
        unknown = [part for part in content if part not in PARTS]
        if unknown:
            raise InvalidStudy(f"unknown part {unknown[0]!r}: known are {', '.join(PARTS)}")
        seeds = content.get("seeds", 1) if seeds is None else seeds
        if not isinstance(seeds, int) or seeds < 1:
            raise InvalidStudy(f"seeds must be a whole number of at least 1, got {seeds!r}")
        run, grids = content.get("run"), _grids(content)
        extra = run_module(run).EXTRA_SETTINGS if run else {}
        base = default_settings() | preset(content.get("preset")) | content.get("settings", {})
        base = {**extra, **base, "results-dir": "", "figures": False}
        varied = tuple(dict.fromkeys(setting for grid in grids for setting in grid))
        combinations = [base | combination for grid in grids for combination in _product(grid)]
        combinations = [settings for settings in combinations if _can_differ(settings)]
        of_seed_1 = [_cell(settings | {"seed": 1}, varied, run) for settings in combinations]
        cells = tuple(
            _with_seed(cell, seed, half_vouched=settings.get("vouched") == HALF_OF_MINORITY)
            for seed in range(1, seeds + 1)
            for cell, settings in zip(of_seed_1, combinations, strict=True)
        )
        keep, measures = content.get("keep", KEPT[0]), content.get("measures", MEASURES)
        if keep not in KEPT:
            raise InvalidStudy(f"keep must be one of {', '.join(KEPT)}, got {keep!r}")
        unknown = [one for one in measures if one not in MEASURES]
        if unknown:
            raise InvalidStudy(f"measures must be among {', '.join(MEASURES)}, got {unknown[0]!r}")
        return cls(name, str(content.get("title", name)), varied, cells, run, keep, tuple(measures))


def names() -> list[str]:
    """Return the names of all studies in ``studies/``."""
    return sorted(path.stem for path in STUDIES.glob("*.toml"))


def preset(name: str | None) -> dict[str, Any]:
    """Return the settings of a preset, with those that it inherits; none without a name.

    Raises
    ------
    InvalidStudy
        Naming the presets there are.
    """
    if name is None:
        return {}
    path = PRESETS / f"{name}.toml"
    if not path.is_file():
        known = sorted(path.stem for path in PRESETS.glob("*.toml"))
        raise InvalidStudy(f"preset must be one of {', '.join(known)}, got {name!r}")
    return read_toml(path)


def _grids(content: Mapping[str, Any]) -> list[Lists]:
    grids, shared = content.get("grid", [{}]), content.get("every-grid", [{}])
    shared = [shared] if isinstance(shared, dict) else shared
    if not isinstance(grids, list) or not all(
        isinstance(values, list) and values for grid in [*grids, *shared] for values in grid.values()
    ):
        raise InvalidStudy("[[grid]] must hold lists of at least one value")
    return [grid | every for grid in grids for every in shared]


def _product(grid: Lists) -> list[dict[str, Any]]:
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def _cell(settings: dict[str, Any], varied: tuple[str, ...], run: str | None) -> Cell:
    ignored = {"mu"} if not settings["performance-aware"] else set()
    shown = {name: None if name in ignored else settings.get(name) for name in varied}
    extra: dict[str, Any] = {}
    if run:
        module = run_module(run)
        extra = {name: settings.pop(name) for name in module.EXTRA_SETTINGS}
        module.check(extra)
    if settings.get("vouched") == HALF_OF_MINORITY:  # each seed says who that is
        settings["vouched"] = ""
    return Cell(shown, RunConfig.parse(settings), run, extra)


def _can_differ(settings: Mapping[str, Any]) -> bool:
    """Return whether a cell says something: without a minority nobody of it can be vouched for."""
    return settings.get("vouched") != HALF_OF_MINORITY or settings["minority"] != NO_MINORITY


def _with_seed(cell: Cell, seed: int, half_vouched: bool) -> Cell:
    """Return a cell with a seed, and with who is vouched for where that depends on whom it draws."""
    config = cell.config.replace(seed=seed)
    if half_vouched:
        members = config.minority_clients
        half = members[: len(members) // 2]
        config = config.replace(vouched=", ".join(str(client) for client in half))
    return replace(cell, config=config)
