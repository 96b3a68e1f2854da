"""What a type checker tells somebody who uses the strategies: mypy, strict, on code like theirs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

pytestmark = pytest.mark.slow

RIGHT = """
import numpy as np
import strategies.message
from strategies import Adam, Mean, PAwBRoFL, aggregate, robust_mean

PAwBRoFL(fraction_fit=0.5, epsilon="auto", weighting="filtering", mu=0.1, server_optimizer=Adam())
strategies.message.PAwBRoFL(fraction_train=0.5, min_train_nodes=10, not_in_gramian=["*running_mean"])
reveal_type(robust_mean(np.eye(10)).mean)
reveal_type(aggregate([[np.ones(3), np.ones(2)]], Mean()).mean)
"""
WRONG = """
import strategies
from strategies import PAwBRoFL
from strategies.message import PAwBRoFL as MessagePAwBRoFL

MessagePAwBRoFL(fraction_trian=0.5)
MessagePAwBRoFL(min_train_nodes="ten")
MessagePAwBRoFL(fraction_fit=0.5)
PAwBRoFL(fraction_train=0.5)
PAwBRoFL(server_optimizer=strategies.Adam)
strategies.nonexistent
"""


def told(code: str, folder: Path) -> list[str]:
    """Return what mypy says of some code, with the project's own settings."""
    file = folder / "theirs.py"
    file.write_text(code)
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(PROJECT / ".mypy_cache"), str(file)]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    return [line for line in finished.stdout.splitlines() if "theirs.py" in line]


def test_what_works_is_accepted_and_a_mean_has_the_form_of_an_update(tmp_path: Path) -> None:
    array, arrays = told(RIGHT, tmp_path)
    assert re.search(r'note: Revealed type is "numpy\.ndarray\[', array)
    assert re.search(r'note: Revealed type is "(builtins\.)?list\[numpy\.ndarray\[', arrays)


def test_every_mistake_is_told_before_it_runs(tmp_path: Path) -> None:
    mistakes = WRONG.splitlines()[5:]
    lines = [int(line.split(":")[1]) for line in told(WRONG, tmp_path) if ": error: " in line]
    assert lines == list(range(6, 6 + len(mistakes)))
