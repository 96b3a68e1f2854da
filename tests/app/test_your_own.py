"""Own data, network, attack, aggregator, tracker: docs/your_own.md as it stands, what is refused."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pawbrofl_app import command
from pawbrofl_app.engines.flower_programs import (
    CONNECTION,
    flower_environment,
    installed_program,
    local_superlink,
)
from pawbrofl_app.records.run_folder import RunFolder
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "your_own.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(found)


def command_of_the_page() -> list[str]:
    program, *arguments = shlex.split(block("bash"))
    assert program == "pawbrofl"
    return arguments


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pawbrofl_app.command", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_module.py").write_text(block("python"))
    return tmp_path


def check_it_ran(folder: Path) -> None:
    (results,) = (folder / "results").iterdir()
    record = RunFolder(results)
    assert record.is_finished
    assert len(record.rounds) == 6
    assert record.summary.test_accuracy > 0.6
    assert [one.subgroup for one in record.summary.subgroups] == ["left"]
    assert record.clients["num_examples"].sum() == 5 * 600
    tracked = [float(line.split()[1]) for line in (results / "measures.txt").read_text().splitlines()]
    assert tracked == record.rounds["test_accuracy"].tolist()


@pytest.mark.slow
def test_the_page_runs_as_it_stands(folder: Path) -> None:
    done = run(folder, *command_of_the_page())
    assert done.returncode == 0, done.stderr
    check_it_ran(folder)


@pytest.mark.long
@pytest.mark.slow
def test_actors_of_a_simulation_find_the_module_too(folder: Path) -> None:
    arguments = command_of_the_page()
    arguments[arguments.index("in-process")] = "ray"
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    check_it_ran(folder)


FEDERATION = "num-supernodes=10 client-resources-num-cpus=1 init-args-num-cpus=2"
APP = ("strategies", "attacks", "report", "clients", "deployment", "pawbrofl_app", "experiments")


@pytest.mark.long
@pytest.mark.slow
def test_flower_s_own_command_finds_the_module_in_the_app_s_folder(folder: Path) -> None:
    app = folder / "app"
    for name in APP:
        shutil.copytree(PROJECT / name, app / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, app)
    shutil.move(folder / "my_module.py", app)
    settings = [one for one in command_of_the_page() if "=" in one]
    given = " ".join([*settings, f"results-dir='{folder / 'results' / 'run'}'"])
    with tempfile.TemporaryDirectory() as home:
        environment = flower_environment(Path(home))
        arguments = ["run", str(app), CONNECTION, "--stream", "--run-config", given]
        arguments += ["--federation-config", FEDERATION]
        with local_superlink(Path(home), environment):
            done = subprocess.run(
                [installed_program("flwr"), *arguments],
                env=environment,
                cwd=home,
                capture_output=True,
                text=True,
                check=False,
            )
    assert (folder / "results" / "run").is_dir(), done.stderr + done.stdout
    check_it_ran(folder)


def test_all_five_take_about_fifty_lines() -> None:
    assert len([line for line in block("python").splitlines() if line.strip()]) <= 50


BROKEN = """
from dataclasses import dataclass
import numpy as np, torch
from torch import nn
from attacks import Attack
from pawbrofl_app.tasks.task import Samples, Task
from strategies.weightings import Weighting

def nothing(folder): return None
def fails(folder): raise RuntimeError("no such hospital")
def uneven(folder): return Task(Samples(torch.zeros(3, 2), torch.arange(4)), None)
def load(folder):
    part = Samples(torch.zeros(40, 2), torch.arange(40) % 2)
    return Task(part, part)
class NoArguments(nn.Module): pass
class Narrow(nn.Linear):
    def __init__(self, shape, classes): super().__init__(shape[0], classes + 1)
def function(gramian): return gramian
@dataclass(frozen=True, kw_only=True)
class Stretches(Attack):
    def poison_batch(self, inputs, labels): return torch.cat([inputs, inputs], 1), labels
@dataclass(frozen=True, kw_only=True)
class Weak(Attack):
    strength: int = 1
class Unnormalised(Weighting):
    def __call__(self, gramian): return np.ones(len(gramian))
class Raises(Weighting):
    def __call__(self, gramian): raise KeyError("client")
NUMBER = 3
"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "broken_module.py").write_text(BROKEN)
    (folder / "unreadable_module.py").write_text("this is no Python")
    return folder


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "dataset='broken_modul:load'",
            "dataset 'broken_modul:load': .*there is no module 'broken_modul'",
        ),
        ("dataset='unreadable_module:load'", "module 'unreadable_module' raises SyntaxError"),
        ("dataset='broken_module:loud'", "has no 'loud' .did you mean 'load'"),
        ("dataset='broken_module:NUMBER'", "must be a function or class, got int"),
        ("dataset='broken_module:nothing'", "must return a pawbrofl_app.tasks.task.Task, got NoneType"),
        (
            "dataset='broken_module:fails'",
            "'broken_module:fails', called with .*: RuntimeError: no such hosp",
        ),
        (
            "dataset='broken_module:uneven'",
            "labels must be one for each of 3 inputs, got an array of shape",
        ),
        ("dataset='broken_module:load(size=3)'", "parameters are none; got 'size'"),
        ("network='broken_module:Nothing'", "network 'broken_module:Nothing'.*has no 'Nothing'"),
        (
            "network='broken_module:NoArguments'",
            "made with input_shape .1, 28, 28. and num_classes 10, does not",
        ),
        (
            "dataset='broken_module:load' network='broken_module:Narrow'",
            r"must return scores of shape \(2, 2\)",
        ),
        ("attack='broken_module:function'", "must be a class that inherits from attacks.Attack"),
        ("attack='broken_module:Stretches'", "must keep the shape .1, 28, 28. of inputs"),
        ("attack='broken_module:Weak(strength=much)'", "strength must be a whole number, got 'much'"),
        (
            "attack='broken_module:Weak(power=2)'",
            "takes parameters such as name=value of .*strength; got",
        ),
        (
            "aggregator='broken_module:function'",
            "must be a class that inherits from strategies.weightings.W",
        ),
        (
            "aggregator='broken_module:Unnormalised'",
            "must return a weight of at least 0 for each update, with",
        ),
        (
            "tracker='broken_module:function'",
            "must be a class that inherits from pawbrofl_app.trackers",
        ),
        ("aggregator='broken_module:Raises'", "'broken_module:Raises' raises KeyError: 'client'"),
    ],
)
def test_what_is_missing_is_named_before_anything_starts(
    broken: Path,
    settings: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(broken)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(command, "_run", None)
    monkeypatch.setenv("PYTHONPATH", "")
    assert command.main(["run", "--run-config", settings.replace("'", '"')]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert re.search(message, error), error
    assert not (broken / "results").exists() or not list((broken / "results").iterdir())
