"""TOML files that inherit: with ``base = "mnist"`` from ``mnist.toml`` in the same folder."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from .setting import InvalidSetting

BASE = "base"


def read_toml(path: Path, inheriting: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return what a TOML file holds, over what the files hold that it inherits from.

    Tables are merged key by key; everything else replaces what is inherited.

    Parameters
    ----------
    path : Path
    inheriting : tuple of Path
        The files that inherit from this one.

    Raises
    ------
    InvalidSetting
        For a file that is no TOML, inherits from itself, or names a base that is not there.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise InvalidSetting(f"{path} is no TOML: {problem}") from problem
    base = content.pop(BASE, None)
    if base is None:
        return content
    parent = path.with_name(f"{base}.toml")
    if not parent.is_file():
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.toml")))
        raise InvalidSetting(f"{path}: base must be one of {known}, got {base!r}")
    if parent in (path, *inheriting):
        raise InvalidSetting(f"{path}: base {base!r} inherits from it")
    return _over(read_toml(parent, (path, *inheriting)), content)


def _over(inherited: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = {
        name: inherited[name] | value
        for name, value in own.items()
        if isinstance(value, dict) and isinstance(inherited.get(name), dict)
    }
    return inherited | own | merged
