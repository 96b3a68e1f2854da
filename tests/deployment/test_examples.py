"""The example units and the compose file: their commands are Flower's own, as its parsers say."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml
from flwr.superlink.cli.flower_superlink import _parse_args_run_superlink
from flwr.supernode.cli.flower_supernode import _parse_args_run_supernode
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pawbrofl_app.engines.flower_programs import installed_program

FOLDER = Path(__file__).resolve().parents[2] / "deployment"
PROJECT = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
PARSERS = {
    "flower-superlink": _parse_args_run_superlink,
    "flower-supernode": _parse_args_run_supernode,
}


def parsed(command: list[str]) -> Namespace:
    """Return the options of a Flower command, which must all exist."""
    return PARSERS[Path(command[0]).name]().parse_args(command[1:])


def command_of(unit: Path) -> list[str]:
    lines = unit.read_text().replace("\\\n", " ").splitlines()
    (line,) = (line for line in lines if line.startswith("ExecStart="))
    return shlex.split(line.removeprefix("ExecStart="))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / "compose.yaml").read_text()))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_the_units(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    program = Path(command_of(unit)[0])
    text = unit.read_text().replace(str(program), installed_program(program.name))
    checked = tmp_path / unit.name.replace("@", "@site-a")
    checked.write_text(text)
    run = subprocess.run([analyze, "verify", checked], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_the_units_commands_are_flowers() -> None:
    superlink = parsed(command_of(FOLDER / "systemd" / "pawbrofl-superlink.service"))
    supernode = parsed(command_of(FOLDER / "systemd" / "pawbrofl-supernode@.service"))
    assert superlink.enable_supernode_auth
    assert superlink.ssl_ca_certfile == "/etc/pawbrofl/ca.crt"
    assert supernode.auth_supernode_private_key == "/etc/pawbrofl/%i.key"
    assert not supernode.insecure
    assert not superlink.insecure


def test_the_compose_files_commands_are_flowers(compose: dict[str, Any]) -> None:
    services = compose["services"]
    superlink, site = parsed(services["superlink"]["command"]), parsed(services["site-a"]["command"])
    assert superlink.enable_supernode_auth
    assert site.superlink == f"superlink:{superlink.port}"
    assert site.node_config == 'partition-id=0 num-partitions=4 data-dir="/data"'


def test_the_compose_file_mounts_what_its_commands_name(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        mounted = [volume.split(":")[1] for volume in service["volumes"]]
        named = [option.split("=")[1] for option in service["command"] if "=/" in option]
        assert named
        for path in named:
            assert any(Path(path).is_relative_to(mount) for mount in mounted), path
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source.startswith(".") or source in compose["volumes"]


def test_the_superlinks_port_is_not_open_to_everybody(compose: dict[str, Any]) -> None:
    assert compose["services"]["superlink"]["ports"] == ["127.0.0.1:8000:8000"]


def required(names: list[str]) -> list[Requirement]:
    """Return what the app needs of others: its own extras taken apart."""
    found = [Requirement(name) for name in names]
    own = [one for one in found if one.name == "pawbrofl"]
    inner = [PROJECT["optional-dependencies"][extra] for one in own for extra in one.extras]
    return [one for one in found if one not in own] + [one for names in inner for one in required(names)]


def test_the_image_installs_what_the_app_needs_each_file_by_its_hash() -> None:
    text = (FOLDER / "requirements.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=[\w-]+[=\[])", text) if "==" in entry.split("\n")[0]]
    locked = {}
    for entry in entries:
        name, version = re.match(r"([\w.-]+)(?:\[[\w,]+\])?==([^ ;]+)", entry).groups()  # type: ignore[union-attr]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), name
        locked[canonicalize_name(name)] = version
    build = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["build-system"]["requires"]
    for one in required([*PROJECT["dependencies"], "pawbrofl[app]", *build]):
        version = locked.get(canonicalize_name(one.name), "")
        assert one.specifier.contains(version, prereleases=True), f"{one} is locked at {version!r}"


def test_the_image_is_of_one_version_of_python_and_takes_nothing_unlocked() -> None:
    recipe = (FOLDER / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.\d+\.\d+-", recipe, re.MULTILINE)
    for install in re.findall(r"pip install (.*)", recipe):
        options = set(install.split())
        assert "--require-hashes" in options or {"--no-deps", "--no-build-isolation"} <= options
