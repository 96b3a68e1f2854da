"""Each data set of the table in ``docs/tasks.md`` goes through a run of the command, attack and all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pawbrofl_app.command import main
from pawbrofl_app.records.run_folder import RunFolder
from tests.conftest import PROJECT

TABLE = (PROJECT / "docs" / "tasks.md").read_text().split("| `dataset` | what |")[1].split("\n\n")[0]
NAMES = re.findall(r"`([a-z0-9-]+)(?:\([^`]*\))?`", "".join(re.findall(r"^\| (.*?) \|", TABLE, re.M)))


def no_files(folder: Path) -> str:
    return ""


def table(folder: Path) -> str:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(200, 8)), columns=[f"column{k}" for k in range(8)])
    rows["label"] = np.where(rows["column0"] > 0, "yes", "no")
    rows.to_csv(folder / "train.csv", index=False)
    rows[:40].to_csv(folder / "test.csv", index=False)
    return str(folder)


def pictures(folder: Path) -> str:
    for label in ("cat", "dog", "owl"):
        (folder / label).mkdir()
        for number in range(40):
            colours = np.random.default_rng(number).integers(256, size=(28, 28, 3), dtype=np.uint8)
            Image.fromarray(colours).save(folder / label / f"{number}.png")
    return str(folder)


def rows_of_the_hub(folder: Path) -> str:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(200, 8)), columns=[f"column{k}" for k in range(8)])
    rows["label"] = random.integers(3, size=200)
    rows.to_parquet(folder / "train-00000-of-00001.parquet")
    return str(folder)


DATA_DIR: dict[str, Callable[[Path], str]] = {
    "digits": no_files,
    "synthetic": no_files,
    "csv": table,
    "images": pictures,
    "hub": rows_of_the_hub,
}
"""Writes a data set's files into a folder. What is not here is in `PAWBROFL_DATA_DIR`."""
DATASET = {
    "synthetic": "synthetic(alpha=1, beta=1)",
    "csv": "csv(label=label)",
    "hub": "hub(inputs=column0+column1+column2+column3+column4+column5+column6+column7, label=label)",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    files = tmp_path / "files"
    files.mkdir()
    data_dir = DATA_DIR[name](files) if name in DATA_DIR else request.getfixturevalue("data_dir")
    settings = {
        "dataset": DATASET.get(name, name),
        "data-dir": data_dir,
        "results-dir": str(tmp_path / "run"),
        "num-clients": 10,
        "num-rounds": 1,
        "training-samples": 0 if name in ("csv", "images", "hub") else 200,
        "local-epochs": 1,
        "figures": False,
    }
    pairs = " ".join(f"{key}={_toml(value)}" for key, value in settings.items())
    assert main(["run", "--engine", "in-process", "--run-config", pairs]) == 0
    summary = RunFolder(tmp_path / "run").summary
    assert 0 <= summary.test_accuracy <= 1
    assert 0 <= summary.attack_success_rate <= 1


def test_all_of_the_table_are_tried() -> None:
    assert set(DATA_DIR) | set(DATASET) < set(NAMES)
    assert {"mnist", "fashion-mnist", "cifar10", "adult", "credit-default"} == set(NAMES) - set(DATA_DIR)


def _toml(value: str | int) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
