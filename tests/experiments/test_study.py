"""Study files: what cells they make, and what is said of a wrong one."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w

from experiments.__main__ import main
from experiments.grid.cell_folder import folders_of
from experiments.grid.study import InvalidStudy, Study, names
from pawbrofl_app.records.layout import SETTINGS, SUMMARY
from pawbrofl_app.settings import run_config

GRID = """
title = "t"
seeds = 2
[settings]
num-rounds = 3
[[grid]]
attack = ["none", "dba"]
aggregator = ["mean"]
[[grid]]
attack = ["dba"]
aggregator = ["filtering", "no-regret"]
mu = [0.01, 1.0]
"""


def study(tmp_path: Path, content: str, seeds: int | None = None) -> Study:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    return Study.load(str(path), seeds)


def test_a_study_is_the_union_of_its_grids_for_every_seed(tmp_path: Path) -> None:
    loaded = study(tmp_path, GRID)
    assert loaded.name == "mine"
    assert loaded.varied == ("attack", "aggregator", "mu")
    assert len(loaded.cells) == 2 * (2 + 4)
    assert [cell.config.seed for cell in loaded.cells] == [1] * 6 + [2] * 6
    assert {cell.config.federation.num_rounds for cell in loaded.cells} == {3}
    assert len(study(tmp_path, GRID, seeds=5).cells) == 30


def test_cells_have_distinct_legible_names_that_settings_decide(tmp_path: Path) -> None:
    names_before = [cell.name for cell in study(tmp_path, GRID).cells]
    assert len(set(names_before)) == 12
    assert names_before[2].startswith("dba-filtering-mu=0.01-seed1-")
    assert names_before == [cell.name for cell in study(tmp_path, GRID).cells]
    longer = study(tmp_path, GRID.replace("num-rounds = 3", "num-rounds = 4"))
    assert not set(names_before) & {cell.name for cell in longer.cells}


def test_a_setting_that_is_new_renames_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = [cell.name for cell in Study.load("default-attack").cells]
    cells = Study.load("default-attack").cells
    assert "max-tilt" in cells[0].config.as_settings()
    places = {name: place for name, place in run_config._PLACES.items() if name != "max-tilt"}
    monkeypatch.setattr(run_config, "_PLACES", places)
    assert "max-tilt" not in cells[0].config.as_settings(), "as it was before there was one"
    assert [cell.name for cell in cells] == with_it


def test_a_cell_is_finished_as_it_would_run_now(tmp_path: Path) -> None:
    """Its name is the same where a default has changed since, and where a setting is new."""
    (folder,) = folders_of(study(tmp_path, "[settings]\nmu = 0.5"), tmp_path)
    settings = folder.cell.config.as_settings()
    folder.path.mkdir(parents=True)
    (folder.path / SUMMARY).touch()
    for recorded, finished in (
        (settings, True),
        (settings | {"max-tilt": 3.0}, False),
        (settings | {"figures": True, "results-dir": "elsewhere"}, True),
        ({name: value for name, value in settings.items() if name != "max-tilt"}, True),
        ({name: value for name, value in settings.items() if name != "mu"}, False),
        (settings | {"no-longer": 1}, False),
    ):
        (folder.path / SETTINGS).write_text(tomli_w.dumps(recorded))
        assert folder.finished == finished


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "grids = 1",
            "unknown part 'grids': known are title, base, preset, run, seeds, keep, measures, settings",
        ),
        (
            "preset = 'cifar'",
            "preset must be one of as-published, ",
        ),
        ("seeds = 0", "seeds must be a whole number of at least 1, got 0"),
        ("[[grid]]\nmu = 3", "must hold lists of at least one value"),
        ("[[grid]]\nmu = [-1.0]", "mu must be above 0, got -1.0"),
        ("[settings]\nmuh = 1", "unknown setting 'muh': did you mean 'mu'?"),
        ("seeds = ", "mine.toml"),
        ("run = 'no.such_module'", "run must name a Python module, got 'no.such_module'"),
        ("run = 'json'", "run must name a module with EXTRA_SETTINGS, got 'json'"),
        ("base = 'other'", "base must be one of mine, got 'other'"),
        ("base = 'mine'", "base 'mine' inherits from it"),
        ("[every-grid]\nmu = 3", "must hold lists of at least one value"),
    ],
)
def test_what_is_wrong_is_named_together_with_the_file(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(InvalidStudy) as error:
        study(tmp_path, content)
    assert message in str(error.value)
    assert "mine.toml" in str(error.value)


def test_a_module_that_runs_cells_in_process_is_not_asked_for_ray(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "corrections", "--engine", "ray"]) == 2
    assert "published_run runs its cells in-process, not under ray" in capsys.readouterr().err


def test_an_unknown_study_is_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidStudy, match=r"one of .*as-published.*default-attack.*got 'defualt'"):
        Study.load("defualt")


def test_lists_of_every_grid_come_last_in_each(tmp_path: Path) -> None:
    content = '[every-grid]\nattack = ["none", "dba"]\n[[grid]]\nmu = [0.1]\n[[grid]]\nmu = [0.2]\n'
    loaded = study(tmp_path, content)
    assert loaded.varied == ("mu", "attack")
    assert [(cell.config.tilt.mu, cell.config.threat.attack) for cell in loaded.cells] == [
        (0.1, "none"),
        (0.1, "dba"),
        (0.2, "none"),
        (0.2, "dba"),
    ]


def test_a_study_inherits_settings_and_replaces_what_it_has_itself(tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text(GRID)
    child = study(tmp_path, 'base = "parent"\n[settings]\nbatch-size = 3\n[[grid]]\nmu = [0.5]\n')
    (first, second) = child.cells
    assert child.title == "t"
    assert (
        first.config.federation.num_rounds,
        first.config.training.batch_size,
        first.config.tilt.mu,
    ) == (3, 3, 0.5)
    assert [cell.config.seed for cell in (first, second)] == [1, 2]


CELLS = {
    "adult-and-cifar10": "76b84780",
    "anti-minority": "6283eb0c",
    "as-published": "615a4854",
    "bounded-shares": "e6d102e6",
    "corrections": "9f635a4a",
    "default-attack": "03ba50de",
    "edge-case": "13971087",
    "false-branches": "1e7d68f5",
    "false-reports": "728990e5",
    "heterogeneity": "68eb0532",
    "max-tilt": "0b8e4511",
    "minorities": "c8d68327",
    "paper-claims": "8999af0b",
    "paper-grid": "b129951c",
    "robust-and-fair": "9dfc60ea",
    "small-minorities": "abd4be0a",
    "threat-matrix": "c339b1ef",
}


def names_digest(name: str) -> str:
    """A digest of the names of a study's cells, in order."""
    text = "\n".join(cell.name for cell in Study.load(name).cells)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name == "robust-and-fair")) for name in names()],
)
def test_finished_cells_stay_finished(name: str) -> None:
    """A cell's name holds a digest of what is off its default: another name is a run to be done anew."""
    assert names_digest(name) == CELLS[name]


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_jobs_that_no_study_could_run_with_are_refused(
    jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "default-attack", "--jobs", jobs])
    assert ended.value.code == 2
    assert (
        f"argument --jobs: must be a whole number of at least 1, got '{jobs}'" in capsys.readouterr().err
    )


@pytest.mark.slow
def test_a_reader_who_has_had_enough_makes_no_traceback() -> None:
    status = [sys.executable, "-m", "experiments", "status", "threat-matrix"]
    with subprocess.Popen(status, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        _, errors = running.communicate()
    assert errors == b""
    assert running.returncode == 128 + signal.SIGPIPE
