"""Running a study for real: a failing cell, a killed study, and going on from there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from experiments.__main__ import main
from experiments.grid.cell_folder import CellFolder, folders_of
from experiments.grid.cell_run import run_cell
from experiments.grid.study import Study
from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.records.layout import ROUNDS, SUMMARY

pytestmark = pytest.mark.slow

STUDY = """
[settings]
num-clients = 2
num-rounds = 2
local-epochs = 1
malicious-fraction = 0.0
epsilon = 0.0
[[grid]]
aggregator = ["mean", "filtering"]
partition = ["iid", "dirichlet"]
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(STUDY)
    return path


def command(study_file: Path, *options: str) -> list[str]:
    results = str(study_file.parent / "results")
    return [
        *(sys.executable, "-m", "experiments", "run", str(study_file)),
        *("--results", results, *options),
    ]


@pytest.mark.long
def test_a_killed_study_goes_on_and_runs_no_cell_twice(
    study_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = study_file.parent / "results"
    folders = folders_of(Study.load(str(study_file)), results)
    killed = subprocess.Popen(
        command(study_file, "--jobs", "1"), stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 1200
    checkpoint = folders[1].path / "checkpoints" / "round-000001.checkpoint"
    while not checkpoint.is_file() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert folders[0].finished, "the first cell was done when the second began"
    assert not folders[1].finished, "the second was cut short"
    first_rounds = (folders[1].path / ROUNDS.file).read_text().splitlines()[:3]
    finished_before = {
        folder.cell.name: (folder.path / SUMMARY).stat().st_mtime_ns
        for folder in folders
        if folder.finished
    }

    assert main(command(study_file, "--jobs", "2")[3:]) == 0
    assert all(folder.finished for folder in folders)
    for folder in folders:
        written = (folder.path / SUMMARY).stat().st_mtime_ns
        assert finished_before.get(folder.cell.name, written) == written, "a finished cell ran again"
        assert len(folder.run.rounds) == 3
    rounds = (folders[1].path / ROUNDS.file).read_text().splitlines()
    assert rounds[:3] == first_rounds, "it went on: the first round has the times of the first try"
    table = pd.read_csv(results / "small" / "table.csv")
    assert len(table) == 4
    assert table["test_accuracy"].between(0, 1).all()
    assert "4 of 4 cells are finished" in capsys.readouterr().out
    page = (results / "small" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 12, (
        "curves, aggregators and weights of two partitions, for light and dark pages"
    )
    assert "http" not in page, "nothing is fetched from elsewhere"


def test_a_failing_cell_is_named_with_its_log_and_stops_no_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "failing.toml"
    settings = "num-rounds=1\nlocal-epochs=1\nmalicious-fraction=0.0\nepsilon=0.0\n"
    path.write_text(f"[settings]\n{settings}[[grid]]\nnum-clients = [2000, 2]\n")
    assert main(["run", str(path), "--results", str(tmp_path)]) == 1
    broken, fine = folders_of(Study.load(str(path)), tmp_path)
    assert (broken.failed, broken.finished) == (True, False)
    assert (fine.failed, fine.finished) == (False, True)
    assert "num-clients must be at most 1437" in broken.log.read_text()
    assert f"see {broken.log}" in capfd.readouterr().err
    assert main(["status", str(path), "--results", str(tmp_path)]) == 0
    shown = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == ["failed", "finished"]


def try_once(folder: CellFolder) -> None:
    process = multiprocessing.get_context("spawn").Process(target=run_cell, args=(folder, "in-process"))
    process.start()
    process.join()


@pytest.mark.long
def test_what_a_failed_try_or_another_run_left_is_begun_afresh(tmp_path: Path, study_file: Path) -> None:
    folder = folders_of(Study.load(str(study_file)), tmp_path)[0]
    config = folder.cell.config.replace(results_dir=str(folder.path.resolve()), num_rounds=1)
    run_in_this_process(config)
    (folder.path / SUMMARY).unlink()
    try_once(folder)
    assert folder.finished, "the folder was that of a run of other settings"
    assert folder.run.rounds_done == 2
    (folder.path / SUMMARY).unlink()
    (folder.path / ROUNDS.file).write_text("nonsense")
    folder.failure.touch()
    try_once(folder)
    assert (folder.finished, folder.failure.exists(), folder.run.rounds_done) == (True, False, 2)


def test_two_runs_of_one_study_do_not_mix(study_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from filelock import FileLock

    folder = study_file.parent / "results" / "small"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        assert main(command(study_file)[3:]) == 2
    assert "is being run" in capsys.readouterr().err


SUMMARIES = """
keep = "summary"
measures = ["test_accuracy", "false_accusations"]
seeds = 2
[settings]
network = "small-perceptron"
cohort-size = 0
num-rounds = 2
local-epochs = 1
fraction-evaluate = 1.0
evaluate-every = 2
checkpoint-every = 0
[[every-grid]]
minority = ["none", "rotated"]
[[every-grid]]
minority = ["none"]
partition = ["variable"]
[[grid]]
cohort-size = [1, 20]
[[grid]]
num-clients = [2000]
"""


def test_short_cells_keep_their_summaries_and_need_no_ray(tmp_path: Path) -> None:
    path, results = tmp_path / "short.toml", tmp_path / "results"
    path.write_text(SUMMARIES)
    (tmp_path / "ray.py").write_text("raise ImportError('there is no Ray here')")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    }
    run = [*command(path, "--jobs", "2")[:-2], "--results", str(results), "--jobs", "2"]

    def outcome(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*run, *options], capture_output=True, text=True, env=environment)

    begun = outcome("--minutes", "0")
    assert begun.returncode == 0, "no cell began, and none failed"
    assert "no cell of short is finished" in begun.stderr
    assert outcome().returncode == 1, "some cells fail"
    folders = folders_of(Study.load(str(path)), results)
    failing = [one for one in folders if one.cell.config.federation.num_clients == 2000]
    assert len(failing) == 6
    for folder in folders:
        if folder in failing:
            assert "num-clients must be at most" in folder.log.read_text()
        else:
            assert sorted(file.name for file in folder.path.iterdir()) == [
                "settings.toml",
                "summary.json",
            ]
            assert not folder.log.exists()
    table = pd.read_csv(results / "short" / "cells.csv")
    assert {"test_accuracy", "false_accusations"} <= set(table)
    assert "recall" not in table
    assert len(table) == 12
    one, many = (table[table["cohort-size"] == size] for size in (1, 20))
    difference = one["test_accuracy"].to_numpy() - many["test_accuracy"].to_numpy()
    assert abs(difference).max() < 0.02, "lock-step differs by rounding errors"
