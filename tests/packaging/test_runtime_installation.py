"""Flower's installation of an app's requirements at run time, for real: a plain ``flwr run .``.

Several minutes where the package index is far away, as PyTorch is downloaded. uv takes its index
from its own configuration. `pytest` leaves this test out, `pytest -m runtime_install` runs it alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pawbrofl_app.engines.flower_programs import flower_environment, installed_program, local_superlink
from pawbrofl_app.records.run_folder import RunFolder
from tests.conftest import PROJECT

TINY = "num-rounds=1 num-clients=2 local-epochs=1 attack='none'"
SWITCH = "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION"


@pytest.mark.slow
@pytest.mark.runtime_install
def test_a_plain_flwr_run_installs_the_apps_requirements_and_finishes(tmp_path: Path) -> None:
    if subprocess.run([sys.executable, "-m", "uv", "--version"], check=False).returncode:
        pytest.skip("uv, with which Flower installs requirements, is not here")
    environment = flower_environment(tmp_path)
    del environment[SWITCH]
    settings = f"{TINY} results-dir='{tmp_path / 'results'}'"
    command = [installed_program("flwr"), "run", ".", "--stream", "--run-config", settings]
    with local_superlink(tmp_path, environment):
        finished = subprocess.run(
            command,
            env=environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=2400,
            check=False,
        )
    log = finished.stdout + finished.stderr
    assert finished.returncode == 0, log
    installed = re.search(r"Installed: \[(.*)\]", log)
    assert installed, log
    names = {package.split("==")[0] for package in installed[1].split(", ")}
    assert {"torch", "torchvision", "pandas", "ray", "scikit-learn", "scipy"} <= names
    assert not names & {"pawbrofl", "flwr", "pytest", "mypy"}
    assert 0 <= RunFolder(tmp_path / "results").summary.test_accuracy <= 1
