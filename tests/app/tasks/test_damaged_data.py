"""Data files that are cut short, or random bytes: one clear error, and nothing else."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.own_data import OWN_DATA, load_own_task
from pawbrofl_app.tasks.task import DataUnavailable
from pawbrofl_app.tasks.task_form import TaskForm

SMALL = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def idx(array: Any) -> bytes:
    """Return an array in the format of MNIST's files."""
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


IDX = {
    "train-images-idx3-ubyte": idx(np.zeros((6, 28, 28))),
    "train-labels-idx1-ubyte": idx(np.arange(6)),
    "t10k-images-idx3-ubyte": idx(np.zeros((2, 28, 28))),
    "t10k-labels-idx1-ubyte": idx(np.arange(2)),
}


def write_mnist(root: Path, damaged: dict[str, bytes]) -> None:
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (IDX | damaged).items():
        (folder / name).write_bytes(content)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)


def test_small_files_in_the_right_format_are_read(tmp_path: Path) -> None:
    write_mnist(tmp_path, {})
    assert len(load_task("mnist", str(tmp_path)).train) == 6


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        IDX["train-images-idx3-ubyte"][:-1],
        IDX["train-images-idx3-ubyte"] + b"x",
        idx(np.zeros((5, 28, 28))),
        idx(np.zeros((6, 14, 28))),
        idx(np.zeros(6)),
        gzip.compress(IDX["train-images-idx3-ubyte"]),
        b"\x00\x00\x08\x03" + struct.pack(">3I", 2**31, 28, 28),
        np.random.default_rng(1).bytes(3000),
    ],
    ids=range(10),
)
@pytest.mark.usefixtures("no_network")
def test_damaged_data_files_are_named(tmp_path: Path, content: bytes) -> None:
    write_mnist(tmp_path, {"train-images-idx3-ubyte": content})
    with pytest.raises(DataUnavailable) as error:
        load_task("mnist", str(tmp_path))
    assert str(tmp_path) in str(error.value)


@given(name=st.sampled_from(sorted(IDX)), content=st.binary(max_size=100))
@SMALL
@pytest.mark.usefixtures("no_network")
def test_random_bytes_are_no_data(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("data")
    write_mnist(folder, {name: content})
    with pytest.raises(DataUnavailable, match=str(folder)):
        load_task("mnist", str(folder))


@given(content=st.binary(max_size=200))
@SMALL
def test_random_bytes_are_no_sites_own_data(tmp_path: Path, content: bytes) -> None:
    (tmp_path / OWN_DATA).write_bytes(content)
    form = TaskForm((1, 28, 28), "uint8", 10, "cnn").as_json()
    with pytest.raises(DataUnavailable, match=str(tmp_path)):
        load_own_task(str(tmp_path), "digits", form)
