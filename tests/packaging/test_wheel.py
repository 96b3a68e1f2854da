"""The library on its own: as a wheel in an environment of its own, and as a copied folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

import pytest

from tests.conftest import PROJECT

pytestmark = pytest.mark.slow

HEAVY = ("torch", "torchvision", "ray", "pandas", "matplotlib", "sklearn", "flwr_datasets", "datasets")
PACKAGES = ("strategies", "attacks", "report")
ATTACK = """
import numpy as np
from pawbrofl.attacks import malicious, poisoned
print(malicious("sign-flip+nan-report", fraction=0.2).place({"partition-id": 0, "num-partitions": 1}))
print(poisoned((np.ones((3, 4)), np.arange(3)), "label-flip(num_classes=3)")[1].tolist())
"""
USE_BOTH = """
import numpy as np
from {package} import PAwBRoFL, PerformanceAware, measure_loss_gap, robust_mean
from {package}.message import PAwBRoFL as MessagePAwBRoFL
print(PAwBRoFL(), MessagePAwBRoFL())
print(robust_mean(np.eye(10)).mean.sum())
"""


def without(modules: Sequence[str]) -> str:
    """Return code that makes importing some modules fail, as if they were not installed."""
    return f"import sys\nfor name in {tuple(modules)!r}: sys.modules[name] = None\n"


def run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, without a path that would lead it to this clone."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, check=False
    )


def python(program: Path | str, code: str, folder: Path) -> str:
    """Run Python code and return what it prints."""
    finished = run([program, "-c", code], folder)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built as ``pip install .`` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*command, str(PROJECT)], check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, which finds Flower, NumPy and SciPy where this one does."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    program = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(program), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, timeout=300)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    # A folder named in a .pth file has its own .pth files ignored: this clone is not on the path.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_a_wheel_has_no_generic_names_at_its_top(wheel: Path) -> None:
    names = {Path(name).parts[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"pawbrofl", "pawbrofl_app"}


def test_a_wheel_holds_all_of_the_library(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("pawbrofl/")}
    sources = {
        f"pawbrofl/{path.relative_to(PROJECT)}"
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    assert {f"pawbrofl/{package}/py.typed" for package in PACKAGES} <= sources
    assert packed == sources


def test_a_wheel_requires_flower_numpy_and_scipy_only(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    requirements = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist", [])
    plain = [requirement for requirement in requirements if "extra ==" not in requirement]
    assert sorted(requirement.split(">")[0] for requirement in plain) == ["flwr", "numpy", "scipy"]


def test_an_installed_wheel_works_without_the_apps_requirements(environment: Path) -> None:
    code = without(HEAVY) + USE_BOTH.format(package="pawbrofl.strategies")
    printed = python(environment / "bin" / "python", code, environment)
    assert printed.count("PAwBRoFL(weighting=") == 2


def test_attacks_of_a_wheel_work_without_pytorch(environment: Path) -> None:
    printed = python(environment / "bin" / "python", without(HEAVY) + ATTACK, environment)
    assert printed == "None\n[2, 1, 0]\n"


def test_the_report_of_a_wheel_needs_jinja2_alone(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "clients.csv").write_text("round,client,weight,judged_malicious\n1,7,1.0,True\n")
    finished = run([environment / "bin" / "pawbrofl", "report", tmp_path], environment)
    assert finished.stdout.strip() == str(tmp_path / "report.html"), finished.stderr
    code = "from pawbrofl.report import RoundReport; RoundReport('results')"
    python(environment / "bin" / "python", without([*HEAVY, "flwr", "scipy"]) + code, environment)
    refused = (
        without(["jinja2"])
        + f"try:\n    {code.replace('; ', chr(10) + '    ')}\nexcept ImportError as e: print(e)"
    )
    printed = python(environment / "bin" / "python", refused, environment)
    assert printed == "the report's page needs Jinja2: pip install 'pawbrofl[report]'\n"


def test_attacks_import_neither_flower_nor_pytorch() -> None:
    code = without([*HEAVY, "flwr"]) + "from attacks import ATTACKS, backdoor_success, poisoned"
    python(sys.executable, code, PROJECT)


def test_the_command_of_a_wheel_says_where_the_app_is(environment: Path) -> None:
    finished = run([environment / "bin" / "pawbrofl", "run"], environment)
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: the app is not part of an installed wheel.")
    assert finished.stderr.endswith("pip install -e '.[app]'\n")


def test_the_command_of_a_clone_says_which_requirement_is_missing() -> None:
    code = without(["pydantic"]) + "from pawbrofl_app.console import main; sys.exit(main())"
    finished = run([sys.executable, "-c", code], PROJECT)
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: the app needs pydantic, which is not installed.")


def test_the_folder_works_under_another_name_in_another_project(tmp_path: Path) -> None:
    shutil.copytree(
        PROJECT / "strategies",
        tmp_path / "aggregators",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "__init__.py").write_text("raise AssertionError('not this one')\n")
    code = without(HEAVY) + USE_BOTH.format(package="aggregators")
    printed = python(sys.executable, code, tmp_path)
    assert printed.count("PAwBRoFL(weighting=") == 2


def test_the_mathematics_imports_neither_flower_nor_pytorch() -> None:
    code = (
        without([*HEAVY, "flwr"])
        + "from strategies import aggregate, diagnostics_table, measure_loss_gap"
    )
    python(sys.executable, code, PROJECT)


def test_importing_a_strategy_leaves_pytorch_alone() -> None:
    code = (
        "import sys, strategies.message; from strategies import PAwBRoFL\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    assert python(sys.executable, code, PROJECT) == "[]\n"
