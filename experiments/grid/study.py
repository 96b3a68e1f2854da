"""A study: a grid of runs, described in TOML.

Beside this file, ``studies/`` holds ours. A study file has three parts::

    title = "What it asks, in a line"
    preset = "mnist"                     # optional, a file of presets/
    seeds = 3                            # how many, unless the command line says otherwise

    [settings]                           # over the app's defaults and the preset, for all cells
    num-rounds = 20

    [[grid]]                             # one or more; each is the product of its lists
    attack = ["none", "dba"]
    aggregator = ["mean", "no-regret"]

Every combination, with every seed, is a cell: one run of the app. Beside the app's settings a study
may set or vary ``departures``: what the run does as the authors' code does it (see
`as_published.departures`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pawbrofl_app.settings.command_line import default_settings
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig

from ..as_published.departures import InvalidDepartures, departures_named

FOLDER = Path(__file__).resolve().parents[1]
STUDIES, PRESETS = FOLDER / "studies", FOLDER / "presets"
PARTS = ("title", "preset", "seeds", "settings", "grid")
DEPARTURES = "departures"


class InvalidStudy(ValueError):
    """A study's file cannot be read or describes no valid runs. The message names file and part."""


INVALID = (
    tomllib.TOMLDecodeError,
    UnicodeDecodeError,
    InvalidSetting,
    InvalidDepartures,
    InvalidStudy,
)


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes
    ----------
    varied : dict
        The settings (and departures) in which the study's cells differ, without the seed; None for one
        that has no effect in this cell.
    config : RunConfig
        All settings; ``results_dir`` is empty until the cell is run.
    departures : str
        What it does as the authors' code does; "none" is the app as it is.
    """

    varied: dict[str, Any]
    config: RunConfig
    departures: str = "none"

    @property
    def name(self) -> str:
        """What varies, legibly, and a digest of all settings: changed settings are another cell."""
        settings: dict[str, Any] = dict(self.config.as_settings())
        if self.departures != "none":
            settings[DEPARTURES] = self.departures
        described = json.dumps(settings, sort_keys=True)
        digest = hashlib.blake2b(described.encode(), digest_size=4).hexdigest()
        parts = [
            value if isinstance(value, str) else f"{name}={str(value).lower()}"
            for name, value in self.varied.items()
            if value is not None
        ]
        return "-".join([*parts, f"seed{self.config.seed}", digest]).replace("/", "_")


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
    """

    name: str
    title: str
    varied: tuple[str, ...]
    cells: tuple[Cell, ...]

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
            return cls._parse(path.stem, tomllib.loads(path.read_text()), seeds)
        except (
            tomllib.TOMLDecodeError,
            UnicodeDecodeError,
            InvalidSetting,
            InvalidDepartures,
            InvalidStudy,
        ) as problem:
            raise InvalidStudy(f"{path}: {problem}") from problem

    @classmethod
    def _parse(cls, name: str, content: Mapping[str, Any], seeds: int | None) -> Study:
        unknown = [part for part in content if part not in PARTS]
        if unknown:
            raise InvalidStudy(f"unknown part {unknown[0]!r}: known are {', '.join(PARTS)}")
        grids = content.get("grid", [{}])
        if not isinstance(grids, list) or not all(
            isinstance(values, list) and values for grid in grids for values in grid.values()
        ):
            raise InvalidStudy("[[grid]] must hold lists of at least one value")
        seeds = content.get("seeds", 1) if seeds is None else seeds
        if not isinstance(seeds, int) or seeds < 1:
            raise InvalidStudy(f"seeds must be a whole number of at least 1, got {seeds!r}")
        base = default_settings() | _preset(content.get("preset")) | content.get("settings", {})
        base |= {"results-dir": "", "figures": False}
        varied = tuple(dict.fromkeys(setting for grid in grids for setting in grid))
        cells = tuple(
            _cell(base | combination | {"seed": seed}, varied)
            for seed in range(1, seeds + 1)
            for grid in grids
            for combination in _product(grid)
        )
        return cls(name, str(content.get("title", name)), varied, cells)


def names() -> list[str]:
    """Return the names of all studies in ``studies/``."""
    return sorted(path.stem for path in STUDIES.glob("*.toml"))


def _preset(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    path = PRESETS / f"{name}.toml"
    if not path.is_file():
        known = sorted(path.stem for path in PRESETS.glob("*.toml"))
        raise InvalidStudy(f"preset must be one of {', '.join(known)}, got {name!r}")
    return tomllib.loads(path.read_text())


def _product(grid: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def _cell(settings: dict[str, Any], varied: tuple[str, ...]) -> Cell:
    settings = {DEPARTURES: "none"} | settings
    departures_named(settings[DEPARTURES])
    ignored = {"mu"} if not settings["performance-aware"] else set()
    shown = {name: None if name in ignored else settings[name] for name in varied}
    departures = settings.pop(DEPARTURES)
    return Cell(shown, RunConfig.parse(settings), departures)
