"""A study's report: all of the table at any width, and the command that makes it again."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.grid.cell_folder import folders_of
from experiments.grid.study import Study
from pawbrofl_app.in_process_run import run_in_this_process

OWN = """
title = "Somebody's own"
[settings]
network = "perceptron"
num-rounds = 1
num-clients = 4
local-epochs = 1
training-samples = 40
epsilon = 0.25
malicious-fraction = 0.25
[[grid]]
aggregator = ["mean", "filtering"]
"""


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The report of a study in a file of somebody's own, with results in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my study.toml").write_text(OWN)
    study = Study.load("my study.toml")
    for folder in folders_of(study, tmp_path / "out"):
        run_in_this_process(folder.cell.config.replace(results_dir=str(folder.path)))
    assert main(["report", "my study.toml", "--results", str(tmp_path / "out")]) == 0
    return tmp_path / "out" / "my study" / "report.html"


def test_the_command_that_it_prints_makes_it_again(report: Path, capsys: Any) -> None:
    (printed,) = re.findall(r"<code>(python -m experiments [^<]*)</code>", report.read_text())
    printed = printed.replace("&#39;", "'")
    report.unlink()
    assert main(shlex.split(printed)[3:]) == 0
    assert report.is_file()


def test_each_value_names_its_column_for_narrow_screens(report: Path) -> None:
    page = report.read_text()
    columns = re.findall(r"<th><button>([^<]*)</button></th>", page)
    first = page.split("<tbody>")[1].split("</tr>")[0]
    assert re.findall(r'data-column="([^"]*)"', first) == columns
    assert "personal accuracy" not in columns, "there are none"
    assert "white-space: nowrap" not in page, "columns that do not wrap run out of the page"
