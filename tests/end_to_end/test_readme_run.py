"""The README's run: what its log ends with is what the README shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pawbrofl_app.command import main
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings.run_config import RunConfig
from tests.conftest import PROJECT

SHOWN = re.search(r"```text\n\[RESULT\]\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
NUMBER = re.compile(r"\d+\.\d+")
TOLERANCES = {
    "test accuracy": 0.0084,  # three images of the test part: processors round differently
    "attack success rate": 0.0062,
    "largest optimality gap": 0.05,
    "malicious weight": 0.0,
}


@pytest.mark.long
@pytest.mark.slow
def test_the_run_ends_as_the_readme_shows(tmp_path: Path) -> None:
    assert SHOWN is not None
    folder = tmp_path / "run"
    settings = f"results-dir='{folder}' figures=false"
    assert main(["run", "--engine", "in-process", "--run-config", settings]) == 0
    lines = RunFolder(folder).summary.lines(RunConfig(), folder)
    found = {line[:22].strip(): line for line in lines}
    shown = {line[4:26].strip(): line[4:] for line in SHOWN[1].splitlines() if line[4:5] != " "}
    assert list(found) == list(shown)
    assert lines[0] == SHOWN[1].splitlines()[0].strip()
    for name, tolerance in TOLERANCES.items():
        value, in_readme = (float(NUMBER.findall(line[name])[0]) for line in (found, shown))
        assert value == pytest.approx(in_readme, abs=tolerance), name
    for name in ("malicious clients", "judged malicious"):
        assert found[name] == shown[name]
