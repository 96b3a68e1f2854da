"""The app's bundle as `flwr build` makes it, and what `flwr app publish` checks before it uploads."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from flwr.cli.app_cmd.publish import _collect_file_paths, _validate_description, _validate_files

from tests.conftest import PROJECT

CONFIG = tomllib.loads((PROJECT / "pyproject.toml").read_text())
FLWR = Path(sys.executable).with_name("flwr")


@pytest.mark.slow
def test_flower_builds_the_app_and_misses_nothing(tmp_path: Path) -> None:
    command = [FLWR, "build", "--app", PROJECT]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "missing" not in built.stdout
    (bundle,) = tmp_path.glob("*.fab")
    assert f"pawbrofl.pawbrofl.{CONFIG['project']['version'].replace('.', '-')}." in bundle.name
    packed = set(zipfile.ZipFile(bundle).namelist())
    for package in ("strategies", "attacks", "report", "clients", "pawbrofl_app"):
        sources = {str(path.relative_to(PROJECT)) for path in (PROJECT / package).rglob("*.py")}
        assert sources <= packed
    assert "LICENSE" in packed


@pytest.mark.slow
def test_flower_s_hub_would_take_it(capsys: pytest.CaptureFixture[str]) -> None:
    _validate_description(CONFIG["project"]["description"])
    _validate_files(_collect_file_paths(PROJECT))
    assert "Validation passed" in capsys.readouterr().out


def test_the_bundle_s_format_is_the_newest_that_flower_knows() -> None:
    app = CONFIG["tool"]["flwr"]["app"]
    assert app["fab-format-version"] == 1
    major, minor, *_ = app["flwr-version-target"].split(".")
    assert (int(major), int(minor)) >= (1, 41)
