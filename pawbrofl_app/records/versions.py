"""The versions of Python and of the packages that a run's numbers may depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version

RECORDED_VERSIONS = ("flwr", "numpy", "pandas", "ray", "scipy", "torch", "torchvision")


def versions() -> dict[str, str]:
    """Return those that are installed, by name."""
    return {"python": platform.python_version()} | {name: version(name) for name in RECORDED_VERSIONS}
