"""A study's report: all of the table at any width, and the command that makes it again."""

from __future__ import annotations

import base64
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.grid import report as study_report
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


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study in a file of somebody's own, whose results are in a folder of their own."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my study.toml").write_text(OWN)
    for cell in folders_of(Study.load(str(folder / "my study.toml")), folder / "out"):
        run_in_this_process(cell.cell.config.replace(results_dir=str(cell.path)))
    return folder


@pytest.fixture
def report(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study's report, without figures, which take most of its time."""
    monkeypatch.chdir(finished)
    monkeypatch.setattr(study_report, "_figures", lambda *_: [])
    assert main(["report", "my study.toml", "--results", str(finished / "out")]) == 0
    return finished / "out" / "my study" / "report.html"


def test_the_command_that_it_prints_makes_it_again(report: Path, capsys: Any) -> None:
    (printed,) = re.findall(r"<code>(python -m experiments [^<]*)</code>", report.read_text())
    printed = printed.replace("&#39;", "'")
    report.unlink()
    assert main(shlex.split(printed)[3:]) == 0
    assert report.is_file()


@pytest.mark.slow
def test_figures_are_in_the_page_in_light_and_dark(finished: Path) -> None:
    assert main(["report", str(finished / "my study.toml"), "--results", str(finished / "out")]) == 0
    page = (finished / "out" / "my study" / "report.html").read_text()
    drawn = sorted((finished / "out" / "my study" / "figures").iterdir())
    assert sum(path.stem.endswith("-dark") for path in drawn) == len(drawn) / 2 > 0
    for path in drawn:
        assert base64.b64encode(path.read_bytes()).decode() in page


def test_each_value_names_its_column_for_narrow_screens(report: Path) -> None:
    page = report.read_text()
    columns = re.findall(r"<th><button>([^<]*)</button></th>", page)
    first = page.split("<tbody>")[1].split("</tr>")[0]
    assert re.findall(r'data-column="([^"]*)"', first) == columns
    assert "personal accuracy" not in columns, "there are none"
    assert "white-space: nowrap" not in page, "columns that do not wrap run out of the page"
