"""Settings as the command line gives them: defaults, and over them TOML files and key=value pairs."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flwr.common.config import parse_config_args

from .run_config import RunConfig
from .setting import InvalidSetting
from .toml_files import read_toml

APP_FOLDER = Path(__file__).resolve().parents[2]


def default_settings() -> dict[str, Any]:
    """Return the settings in ``[tool.flwr.app.config]`` of the app's pyproject.toml."""
    project = tomllib.loads((APP_FOLDER / "pyproject.toml").read_text())
    return dict(project["tool"]["flwr"]["app"]["config"])


def read_settings(run_config: Sequence[str], folder: Path) -> RunConfig:
    """Return the settings: pyproject.toml's defaults, and over them what the command line gives.

    Parameters
    ----------
    run_config : sequence of str
        TOML files, which may inherit (``base = "mnist"``), or ``key=value`` pairs in Flower's syntax.
    folder : Path
        What relative ``data-dir`` and ``results-dir`` are relative to; results go to a new folder
        under its ``results`` where nothing else is asked for.

    Raises
    ------
    InvalidSetting
        For an unknown setting or value, or settings that are no TOML.
    """
    settings = default_settings()
    for given in run_config:
        settings |= _parse_settings(given, folder)
    for name in ("data-dir", "results-dir"):
        if isinstance(settings.get(name), str) and settings[name]:
            settings[name] = str(folder / Path(settings[name]).expanduser())
    config = RunConfig.parse(settings)
    if config.results.results_dir:
        return config
    return config.replace(results_dir=str(folder / "results" / time.strftime("%Y%m%d-%H%M%S")))


def _parse_settings(given: str, folder: Path) -> dict[str, Any]:
    if given.endswith(".toml"):
        path = folder / given
        if not path.is_file():
            raise InvalidSetting(f"--run-config {given!r} is not a file")
        return read_toml(path)
    try:
        return dict(parse_config_args([given]))
    except Exception as problem:
        raise InvalidSetting(
            f"--run-config {given!r} is neither a .toml file nor key=value pairs: {problem}"
        ) from problem
