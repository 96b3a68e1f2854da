"""Presets: what each resolves to, and that Flower's own command line takes what is printed of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from flwr.common.config import parse_config_args

from experiments.__main__ import main
from experiments.grid.study import PRESETS, preset
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.settings.toml_files import read_toml

RESOLVED = {
    "as-published": "b0ff5f0d918b61e2",
    "cifar10": "c2d973254ac7bf5c",
    "dba-cifar10": "7e955f0c100a37bd",
    "digits": "01e7b720ff566d53",
    "digits-dirichlet": "cde118d65d142ca0",
    "digits-quick": "165b2101ecb8fdcf",
    "fashion-mnist": "d302a49de279d7e2",
    "fashion-mnist-dirichlet": "847b011108797b5d",
    "fashion-mnist-variable": "d65bcc84ff0bf448",
    "mnist": "42fd04d9458e0526",
    "mnist-dirichlet": "f195e59558f7de10",
    "mnist-variable": "b144ca75d4ea6b80",
    "ten-thousand-clients": "000c2fef9a451aab",
    "thousand-clients": "747695aacaaddc98",
}
"""A digest of what is off its default in a run with the preset."""
FLAT = ("as-published", "digits", "digits-dirichlet", "digits-quick", "mnist")


def digest(settings: dict[str, Any]) -> str:
    described = json.dumps(RunConfig.parse(settings).off_default, sort_keys=True)
    return hashlib.blake2b(described.encode(), digest_size=8).hexdigest()


def test_every_preset_is_listed() -> None:
    assert sorted(path.stem for path in PRESETS.glob("*.toml")) == sorted(RESOLVED)


@pytest.mark.parametrize("name", RESOLVED)
def test_every_preset_resolves_to_the_same_settings(name: str, defaults: dict[str, Any]) -> None:
    assert digest(defaults | preset(name)) == RESOLVED[name]


@pytest.mark.parametrize("name", RESOLVED)
def test_flower_s_own_command_takes_what_is_printed_of_a_preset(
    name: str, defaults: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preset", name]) == 0
    assert digest(defaults | parse_config_args([capsys.readouterr().out])) == RESOLVED[name]


@pytest.mark.parametrize("name", FLAT)
def test_flower_s_own_command_takes_presets_that_do_not_inherit_as_files(
    name: str, defaults: dict[str, Any]
) -> None:
    given = parse_config_args([str(PRESETS / f"{name}.toml")])
    assert set(given) <= set(defaults), "Flower refuses others"
    assert digest(defaults | given) == RESOLVED[name]


def test_a_file_inherits_from_one_that_inherits(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text("mu = 1.0\nseed = 1\nepsilon = 0.1\n")
    (tmp_path / "second.toml").write_text('base = "first"\nmu = 2.0\nseed = 2\n')
    (tmp_path / "third.toml").write_text('base = "second"\nmu = 3.0\n')
    assert read_toml(tmp_path / "third.toml") == {"mu": 3.0, "seed": 2, "epsilon": 0.1}


def test_files_that_inherit_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text('base = "second"\n')
    (tmp_path / "second.toml").write_text('base = "first"\n')
    with pytest.raises(InvalidSetting, match=r"second\.toml: base 'first' inherits from it"):
        read_toml(tmp_path / "first.toml")
