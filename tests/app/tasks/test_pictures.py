"""Colour images, folders of classes, the hub's parquet files: read whole, decoded once, or refused."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from pawbrofl_app.tasks import pictures
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.task import DataUnavailable


@pytest.fixture(autouse=True)
def kept_apart(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("decoded")
    monkeypatch.setattr(pictures, "DECODED", folder)
    load_task.cache_clear()
    return folder


def picture(shade: int, size: tuple[int, int] = (6, 5), mode: str = "L") -> Image.Image:
    return Image.new(mode, size, shade if mode == "L" else (shade, 0, 255 - shade))


def write_folder(folder: Path, per_class: int = 5, **options: Any) -> None:
    for label, name in enumerate(("cat", "dog", "owl")):
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            picture(80 * label + number, **options).save(folder / name / f"{number}.png")


def test_a_folder_of_classes_is_split_the_same_every_time(tmp_path: Path) -> None:
    write_folder(tmp_path)
    task = load_task("images", str(tmp_path))
    assert (len(task.train), len(task.test)) == (12, 3)
    assert (task.input_shape, task.num_classes, task.network) == ((1, 5, 6), 3, "cnn")
    assert sorted(task.test.labels.tolist()) == [0, 1, 2]
    for image, label in zip(task.train.inputs, task.train.labels.tolist(), strict=True):
        assert 80 * label <= int(image[0, 0, 0]) < 80 * label + 5
    load_task.cache_clear()
    assert torch.equal(load_task("images", str(tmp_path)).test.inputs, task.test.inputs)


def test_training_and_test_part_may_be_apart_and_in_colours_of_any_size(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", mode="RGB")
    write_folder(tmp_path / "test", per_class=1, mode="RGB", size=(40, 30))
    task = load_task("images(size=16)", str(tmp_path))
    assert task.input_shape == (3, 16, 16)
    assert (len(task.train), len(task.test)) == (15, 3)
    assert task.train.inputs[0, :, 0, 0].tolist() == [0, 0, 255]


def test_images_are_decoded_once_for_a_machine_and_again_where_a_file_changes(
    tmp_path: Path, kept_apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path)
    first = load_task("images", str(tmp_path)).train.inputs
    (kept,) = kept_apart.glob("*.npy")

    def decode(*_: object) -> Any:
        raise AssertionError("decoded again")

    load_task.cache_clear()
    monkeypatch.setattr("pawbrofl_app.tasks.image_folder.decode_all", decode)
    assert torch.equal(load_task("images", str(tmp_path)).train.inputs, first)
    picture(9, mode="RGB").save(tmp_path / "cat" / "0.png")
    load_task.cache_clear()
    with pytest.raises(AssertionError, match="decoded again"):
        load_task("images", str(tmp_path))
    assert kept.is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: (f / "cat" / "0.png").write_bytes(b"no image"),
            "cat/0.png is no image that can be read",
        ),
        (lambda f: picture(1, (7, 7)).save(f / "dog" / "0.png"), "dog/0.png has 7 x 7 pixels, but"),
        (lambda f: [p.unlink() for p in f.glob("*/*.png")], "must hold images in folders of classes"),
        (lambda f: (f / "train").mkdir(), "train must hold a folder of images for each"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path, change: Any, message: str) -> None:
    write_folder(tmp_path)
    change(tmp_path)
    with pytest.raises(DataUnavailable) as error:
        load_task("images", str(tmp_path))
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_class_of_the_test_part_alone_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "train")
    write_folder(tmp_path / "test")
    (tmp_path / "test" / "yak").mkdir()
    with pytest.raises(DataUnavailable, match=r"test/yak: no class of the training part"):
        load_task("images", str(tmp_path))


def encoded(shade: int) -> dict[str, Any]:
    content = io.BytesIO()
    picture(shade, mode="RGB").save(content, "PNG")
    return {"bytes": content.getvalue(), "path": None}


def write_parquet(folder: Path) -> None:
    for part, count in (("train", 6), ("test", 2)):
        rows = [{"img": encoded(40 * i), "label": i % 3, "who": "ab"[i % 2]} for i in range(count)]
        pd.DataFrame(rows).to_parquet(folder / f"{part}-00000-of-00001.parquet")


def test_parquet_files_as_on_the_hub_are_read_offline(tmp_path: Path) -> None:
    write_parquet(tmp_path)
    task = load_task("hub(client=who)", str(tmp_path))
    assert (len(task.train), len(task.test), task.num_classes) == (6, 2, 3)
    assert task.input_shape == (3, 5, 6)
    assert task.train.inputs[2, :, 0, 0].tolist() == [80, 0, 175]
    assert task.train.clients is not None
    assert task.train.clients.tolist() == [0, 1, 0, 1, 0, 1]


def test_numbers_of_the_hub_are_rows_of_a_table(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {"x": np.arange(10) / 4, "name": ["n"] * 10, "y": range(10), "label": list("ab") * 5}
    )
    rows.to_parquet(tmp_path / "train-0.parquet")
    assert load_task("hub", str(tmp_path)).input_shape == (2,)
    task = load_task("hub(inputs=x)", str(tmp_path))
    assert (task.input_shape, len(task.train), len(task.test)) == ((1,), 8, 2)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("hub(label=fine)", "has no column 'fine', but img, label, who"),
        ("hub(inputs=image)", "has no column 'image'"),
        ("hub(train=validation)", "has no split 'validation'"),
        ("hub(num_classes=2)", "labels must be at least 0 and below 2"),
        ("hub(columns=2)", "parameters are name, inputs, label"),
    ],
)
def test_what_is_wrong_with_parquet_files_is_named(tmp_path: Path, dataset: str, message: str) -> None:
    write_parquet(tmp_path)
    with pytest.raises(DataUnavailable) as error:
        load_task(dataset, str(tmp_path))
    assert message in str(error.value)


def test_a_name_that_the_hub_cannot_serve_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(datasets, "get_dataset_split_names", unreachable)
    with pytest.raises(DataUnavailable, match=r"hub's 'some/thing' cannot be read: no route to host"):
        load_task("hub(name=some/thing)")


OFFLINE = """
from pawbrofl_app.tasks.datasets import load_task

task = load_task("hub(name=some/thing, client=who)")
print(len(task.train), len(task.test), task.num_classes, task.input_shape)
print(task.train.inputs[2, :, 0, 0].tolist(), task.train.clients.tolist())
try:
    load_task("hub(name=some/other)")
except Exception as problem:
    print(type(problem).__name__, problem)
"""


@pytest.mark.slow
def test_what_the_hub_s_own_cache_has_is_read_without_a_network(tmp_path: Path) -> None:
    from datasets.data_files import DataFilesDict
    from datasets.load import configure_builder_class
    from datasets.packaged_modules.parquet.parquet import Parquet, ParquetConfig

    write_parquet(tmp_path)
    files = {part: [str(tmp_path / f"{part}-00000-of-00001.parquet")] for part in ("train", "test")}
    # As load_dataset does with a data set of parquet files, after fetching these.
    config = ParquetConfig(name="default", data_files=DataFilesDict(files))
    make = configure_builder_class(Parquet, [config], "default", "thing")
    cache = {"cache_dir": str(tmp_path / "home" / "datasets"), "hash": "0123456789abcdef"}
    make(repo_id="some/thing", dataset_name="thing", **cache).download_and_prepare()
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    sizes, content, missing = done.stdout.splitlines()
    assert sizes == "6 2 3 (3, 5, 6)"
    assert content == "[80, 0, 175] [0, 1, 0, 1, 0, 1]"
    assert missing.startswith("DataUnavailable the hub's 'some/other' cannot be read: ")


@pytest.mark.slow
def test_cifar10_is_read_from_parquet(data_dir: str) -> None:
    task = load_task("cifar10", data_dir)
    assert (len(task.train), len(task.test)) == (50_000, 10_000)
    assert (task.input_shape, task.num_classes) == ((3, 32, 32), 10)
    assert task.train.labels.bincount().tolist() == [5000] * 10


def test_cifar10_is_read_from_torchvisions_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AsTorchvision:
        def __init__(self, root: str, *, train: bool, download: bool) -> None:
            assert root == str(tmp_path)
            count = 4 if train else 2
            self.data = np.arange(count * 32 * 32 * 3).astype(np.uint8).reshape(count, 32, 32, 3)
            self.targets = list(range(count))

    monkeypatch.setattr("torchvision.datasets.CIFAR10", AsTorchvision)
    task = load_task("cifar10", str(tmp_path))
    assert (task.input_shape, task.num_classes) == ((3, 32, 32), 10)
    assert task.train.inputs[0, :, 0, 1].tolist() == [3, 4, 5], "channels come first"
    assert task.train.labels.tolist() == [0, 1, 2, 3]
