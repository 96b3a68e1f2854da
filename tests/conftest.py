"""What several tests share: the app's default settings and the folder of the real data sets."""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Before NumPy and PyTorch are imported: with -n, processes share the processors, threads need not.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

PROJECT = Path(__file__).resolve().parent.parent

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what ``mostly_slow(n)`` says: all cases of the test but the first of every n."""
    cases: Counter[str] = Counter()
    for item in items:
        mark, test = item.get_closest_marker("mostly_slow"), item.nodeid.partition("[")[0]
        if mark and cases[test] % mark.args[0]:
            item.add_marker(pytest.mark.slow)
        cases[test] += 1


@pytest.fixture(scope="session")
def default_settings() -> dict[str, Any]:
    """The settings of ``[tool.flwr.app.config]``; not to be changed."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return dict(settings["tool"]["flwr"]["app"]["config"])


@pytest.fixture
def defaults(default_settings: dict[str, Any]) -> dict[str, Any]:
    """A copy of the settings of ``[tool.flwr.app.config]``."""
    return dict(default_settings)


@pytest.fixture
def data_dir() -> str:
    """Folder with MNIST and Fashion-MNIST, in torchvision's layout."""
    folder = os.environ.get("PAWBROFL_DATA_DIR")
    if not folder:
        pytest.skip("PAWBROFL_DATA_DIR does not name a folder with MNIST and Fashion-MNIST")
    return folder
