"""The versions of Python and of the packages that a run's numbers may depend on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

RECORDED_VERSIONS = ("flwr", "numpy", "pandas", "ray", "scipy", "torch", "torchvision")


def versions() -> dict[str, str]:
    """Return those that are installed, by name: a run in process, for one, needs no Ray."""
    found = {"python": platform.python_version()}
    for name in RECORDED_VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
