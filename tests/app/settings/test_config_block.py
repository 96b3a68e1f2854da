"""The settings in pyproject.toml: those of the sections, with their help texts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pawbrofl_app.settings.__main__ import main
from pawbrofl_app.settings.command_line import APP_FOLDER
from pawbrofl_app.settings.run_config import SETTINGS, RunConfig


def test_pyproject_is_current(capsys: Any) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_its_values_are_the_defaults(defaults: dict[str, Any]) -> None:
    assert RunConfig().as_settings() == RunConfig.parse(defaults).as_settings() == defaults


def test_every_setting_is_explained() -> None:
    assert [name for name, field in SETTINGS.items() if not field.description] == []


def test_what_was_changed_is_found_and_written_anew(tmp_path: Path) -> None:
    current = (APP_FOLDER / "pyproject.toml").read_text()
    changed = tmp_path / "pyproject.toml"
    changed.write_text(current.replace("mu-end = 0.05", "mu-end = 0.06"))
    assert main(["--check"], changed) == 1
    assert tomllib.loads(changed.read_text())["tool"]["flwr"]["app"]["config"]["mu-end"] == 0.06
    assert main([], changed) == 0
    assert changed.read_text() == current
