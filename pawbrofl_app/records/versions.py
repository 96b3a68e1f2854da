"""The versions of Python, this project and the packages that a run's numbers may depend on."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from ..settings.command_line import APP_FOLDER

RECORDED_VERSIONS = ("flwr", "numpy", "pandas", "ray", "scipy", "torch", "torchvision")


def versions() -> dict[str, str]:
    """Return those that are installed, by name: a run in process, for one, needs no Ray.

    This project's own is that of the code that runs, as its pyproject.toml has it.
    """
    project = tomllib.loads((APP_FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {"python": platform.python_version(), project["name"]: project["version"]}
    for name in RECORDED_VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def changed_versions(recorded: Mapping[str, str]) -> list[str]:
    """Return in words which versions are not those that a run recorded."""
    return [
        f"{name} {now} in place of {recorded[name]}"
        for name, now in versions().items()
        if recorded.get(name, now) != now
    ]
