"""Which versions a run records."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from pawbrofl_app.records import versions as recorded


def test_a_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in process ended by it, before its first round, where Ray was not installed."""

    def without_ray(name: str) -> str:
        if name == "ray":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(recorded, "version", without_ray)
    found = recorded.versions()
    assert "ray" not in found
    assert found["numpy"] == version("numpy")
