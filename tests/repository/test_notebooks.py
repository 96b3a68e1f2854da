"""The notebooks run from their first cell to their last, which says what came out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from tests.conftest import PROJECT

NOTEBOOKS = sorted((PROJECT / "docs" / "notebooks").glob("*.ipynb"))


def cells(notebook: Path, kind: str) -> list[str]:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def test_there_are_two() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == ["attack_and_defend", "robust_and_fair"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_are_kept_without_output_and_begin_with_who_they_are_for(notebook: Path) -> None:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert [cell["outputs"] for cell in content["cells"] if cell.get("outputs")] == []
    assert "For whoever" in cells(notebook, "markdown")[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "notebook",
    [pytest.param(NOTEBOOKS[0], marks=pytest.mark.long), *NOTEBOOKS[1:]],
    ids=lambda path: path.stem,
)
def test_they_run(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [str(PROJECT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    mpl.use("agg")
    names: dict[str, Any] = {"__name__": "__main__"}  # as in Jupyter: workers are sent what it defines
    code = cells(notebook, "code")
    assert "assert" in code[-1]
    for cell in code:
        exec(compile(cell, str(notebook), "exec"), names)
