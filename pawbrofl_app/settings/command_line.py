"""Settings as the command line gives them: defaults, and over them TOML files and key=value pairs."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from .run_config import SETTINGS, RunConfig
from .setting import InvalidSetting
from .toml_files import read_toml

APP_FOLDER = Path(__file__).resolve().parents[2]
_PAIR = re.compile(r"""\s*([^\s='"]+)=('[^']*'|"[^"]*"|\S+)(?=\s|$)""")
"""A setting as Flower's own parser reads it; that one passes over all else without a word."""


def default_settings() -> dict[str, Any]:
    """Return the settings in ``[tool.flwr.app.config]`` of the app's pyproject.toml."""
    return dict(_declared_settings(APP_FOLDER / "pyproject.toml"))


@cache
def _declared_settings(path: Path) -> dict[str, Any]:
    project = tomllib.loads(path.read_text())
    return dict(project["tool"]["flwr"]["app"]["config"])


def read_settings(run_config: Sequence[str], folder: Path) -> RunConfig:
    """Return the settings: pyproject.toml's defaults, and over them what the command line gives.

    Parameters
    ----------
    run_config : sequence of str
        TOML files, which may inherit (``base = "mnist"``), or ``key=value`` pairs in Flower's syntax.
    folder : Path
        What relative ``data-dir`` and ``results-dir`` are relative to.

    Raises
    ------
    InvalidSetting
        For an unknown setting or value, or anything that is neither a TOML file nor wholly pairs.
    """
    settings = default_settings()
    for given in run_config:
        settings |= _parse_settings(given, folder)
    for name in ("data-dir", "results-dir"):
        if isinstance(settings.get(name), str) and settings[name]:
            settings[name] = str(folder / Path(settings[name]).expanduser())
    return RunConfig.parse(settings)


def as_pair(given: str) -> str:
    """Return what ``--set`` is given, ``mu=0.1`` or ``aggregator=filtering``, as a pair of Flower's.

    Raises
    ------
    argparse.ArgumentTypeError
        Where there is no ``=``.
    """
    name, equals, value = (part.strip() for part in given.partition("="))
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be name=value such as mu=0.1, got {given!r}")
    is_text = name not in SETTINGS or SETTINGS[name].annotation is str
    if value[:1] not in ("'", '"') and (is_text or not _is_toml(value)):
        value = f"'{value}'" if '"' in value else f'"{value}"'
    return f"{name}={value}"


def _is_toml(value: str) -> bool:
    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return False
    return True


def at_least(lowest: int, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    """Return the argparse type of a number that must not be smaller."""
    allowed = f"must be a {'whole ' if kind is int else ''}number of at least {lowest}"

    def parse(given: str) -> float:
        try:
            number = kind(given)
        except ValueError:
            number = lowest - 1
        if not lowest <= number < float("inf"):
            raise argparse.ArgumentTypeError(f"{allowed}, got {given!r}")
        return number

    return parse


def _parse_settings(given: str, folder: Path) -> dict[str, Any]:
    if given.endswith(".toml"):
        path = folder / given
        if not path.is_file():
            raise InvalidSetting(f"--run-config {given!r} is not a file")
        return read_toml(path)
    pairs, rest = [], given.rstrip()
    while pair := _PAIR.match(rest):
        pairs.append(f"{pair[1]} = {pair[2]}")
        rest = rest[pair.end() :]
    try:
        if rest or not pairs:
            raise ValueError(f"{rest.split()[0]!r} is no pair" if rest else "it is empty")
        return tomllib.loads("\n".join(pairs))
    except ValueError as problem:
        raise InvalidSetting(
            f"--run-config {given!r} is neither a .toml file nor key=value pairs such as "
            f"'mu=0.1 attack=\"none\"', without spaces around =: {problem}"
        ) from None
