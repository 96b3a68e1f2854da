"""A site's own data: read whole, or refused with its file and how it differs from the run's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Context, Message, MessageType, RecordDict
from flwr.common import (
    FitIns,
    FitRes,
    GetPropertiesIns,
    Parameters,
    Scalar,
    ndarrays_to_parameters,
)
from flwr.compat.common.recorddict_compat import (
    fitins_to_recorddict,
    getpropertiesins_to_recorddict,
    recorddict_to_fitres,
    recorddict_to_getpropertiesres,
)
from PIL import Image

from attacks import FeatureTrigger
from clients.honest import HonestClient
from clients.malicious import MaliciousClient
from clients.model_arrays import arrays_of
from pawbrofl_app.client_app import client_at, make_client_app
from pawbrofl_app.engines.flower_identity import act_as_server_of, delivered
from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.server_app import serve
from pawbrofl_app.settings.node_config import Site
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks import pictures
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.networks import initial_model_of
from pawbrofl_app.tasks.own_data import load_own_task
from pawbrofl_app.tasks.task import DataUnavailable, Task
from pawbrofl_app.tasks.task_form import FORM, TaskForm

GREY = TaskForm((1, 28, 28), "uint8", 10, "cnn").as_json()
COLOUR = TaskForm((3, 8, 6), "uint8", 4, "cnn").as_json()
ROWS = TaskForm((5,), "float32", 2, "perceptron").as_json()


def images(*shape: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("form", "arrays"),
    [
        (GREY, {"images": images(30, 28, 28)}),
        (GREY, {"inputs": images(30, 1, 28, 28)}),
        (COLOUR, {"images": images(30, 3, 8, 6)}),
        (ROWS, {"inputs": np.ones((30, 5))}),
    ],
)
def test_arrays_of_the_runs_shape_are_read_whole(tmp_path: Path, form: str, arrays: Any) -> None:
    labels = np.arange(30) % 2
    np.savez(tmp_path / "train.npz", labels=labels, **arrays)
    task = load_own_task(str(tmp_path), "digits", form)
    (given,) = arrays.values()
    wanted = TaskForm.parse(form)
    assert task.input_shape == wanted.shape
    assert (task.num_classes, task.network) == (wanted.num_classes, wanted.network)
    np.testing.assert_array_equal(task.train.inputs.numpy().ravel(), given.ravel())
    assert torch.equal(task.train.labels, torch.from_numpy(labels))


def test_files_may_be_those_of_the_runs_data_set(data_dir: str) -> None:
    assert len(load_own_task(data_dir, "mnist", GREY).train) == 60_000


@pytest.mark.parametrize(
    ("form", "arrays", "message"),
    [
        (GREY, {"images": images(3, 28, 28)}, "no .npz file with arrays inputs (or images) and labels"),
        (GREY, {"images": np.ones((3, 28, 28)), "labels": np.arange(3)}, "got torch.float64"),
        (GREY, {"images": images(3, 14, 28), "labels": np.arange(3)}, "uint8 of shape (1, 14, 28)"),
        (
            COLOUR,
            {"images": images(3, 8, 6), "labels": np.arange(3)},
            "uint8 of shape (3, 8, 6) each",
        ),
        (ROWS, {"inputs": np.ones((3, 4)), "labels": np.zeros(3, int)}, "float32 of shape (5,) each"),
        (ROWS, {"inputs": np.full((3, 5), np.nan), "labels": np.zeros(3, int)}, "must be finite"),
        (GREY, {"images": images(3, 28, 28), "labels": np.arange(4)}, "one for each of 3 inputs"),
        (GREY, {"images": images(0, 28, 28), "labels": np.arange(0)}, "at least one"),
        (GREY, {"images": images(3, 28, 28), "labels": np.array([0, 1, 10])}, "below 10"),
        (GREY, {"images": images(3, 28, 28), "labels": np.array([0.5, 1, 2])}, "whole numbers"),
        (GREY, {"images": np.array([{}]), "labels": np.arange(1)}, "no .npz file with arrays"),
    ],
    ids=range(11),
)
def test_arrays_of_another_form_are_refused(
    tmp_path: Path, form: str, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "train.npz", **arrays)
    with pytest.raises(DataUnavailable) as error:
        load_own_task(str(tmp_path), "digits", form)
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


PEOPLE = """age,job,city,label
20,smith,Bonn,no
30,baker,Bonn,yes
40,smith,Bonn,no
60,clerk,Ulm,yes
"""


@pytest.fixture
def table(tmp_path: Path) -> Task:
    """The run's table, of which ``city`` is not learned from."""
    folder = tmp_path / "server"
    folder.mkdir()
    for name in ("train.csv", "test.csv"):
        (folder / name).write_text(PEOPLE)
    return load_task("csv(client=city)", str(folder))


def site_with(tmp_path: Path, content: str) -> str:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "patients.csv").write_text(content)
    return str(folder)


def test_a_sites_table_is_encoded_by_statistics_and_classes_of_the_run(
    tmp_path: Path, table: Task
) -> None:
    own = site_with(tmp_path, "label,job,ward,age\nyes,clerk,3,60\nyes,pilot,4,30\n")
    task = load_own_task(own, "csv(client=city)", TaskForm.of(table).as_json())
    assert torch.equal(task.train.inputs[0], table.train.inputs[3])
    assert task.train.inputs[1].tolist() == [table.train.inputs[1, 0].item(), 0, 0, 0]
    assert task.train.labels.tolist() == [1, 1], "though the site has no other class"
    assert (task.num_classes, task.network) == (2, "perceptron")
    assert isinstance(task.trigger, FeatureTrigger)
    assert task.trigger == table.trigger


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("age,label\n3,yes\n", "column 'job' is missing"),
        ("age,job\n3,smith\n", "there is no column 'label', but age, job"),
        ("age,job,label\n3,smith,maybe\n", "label 'maybe' in column 'label' is none of"),
        ("age,job,label\nold,smith,yes\n", "column 'age' must hold numbers"),
        ("age,job,label\n,smith,yes\n", "column 'age' must hold finite numbers"),
        ("", "is no CSV file with a header"),
    ],
)
def test_what_a_sites_table_lacks_is_named(
    tmp_path: Path, table: Task, content: str, message: str
) -> None:
    own = site_with(tmp_path, content)
    with pytest.raises(DataUnavailable) as error:
        load_own_task(own, "csv(client=city)", TaskForm.of(table).as_json())
    assert message in str(error.value)
    assert str(Path(own) / "patients.csv") in str(error.value)


def test_a_folder_without_a_table_names_the_columns(tmp_path: Path, table: Task) -> None:
    (tmp_path / "site").mkdir()
    with pytest.raises(DataUnavailable, match="with the columns label, age, job; got none"):
        load_own_task(str(tmp_path / "site"), "csv", TaskForm.of(table).as_json())


def save_pictures(folder: Path, classes: dict[str, int], mode: str = "RGB") -> None:
    for name, shade in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(5):
            colour = shade + number
            Image.new(mode, (6, 5), (colour, 0, 0) if mode == "RGB" else colour).save(
                folder / name / f"{number}.png"
            )


def test_a_sites_folders_of_images_have_the_runs_classes_also_where_some_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "DECODED", tmp_path / "decoded")
    save_pictures(tmp_path / "server", {"cat": 0, "dog": 80, "owl": 160})
    form = TaskForm.of(load_task("images(size=4)", str(tmp_path / "server"))).as_json()
    save_pictures(tmp_path / "site", {"owl": 200, "cat": 20})
    own = load_own_task(str(tmp_path / "site"), "images(size=4)", form)
    assert own.input_shape == (3, 4, 4)
    assert own.train.labels.tolist() == [0] * 5 + [2] * 5
    assert own.num_classes == 3
    save_pictures(tmp_path / "other", {"yak": 1})
    with pytest.raises(DataUnavailable, match=r"other/yak: no class of the training part"):
        load_own_task(str(tmp_path / "other"), "images(size=4)", form)
    save_pictures(tmp_path / "grey", {"cat": 1}, mode="L")
    with pytest.raises(DataUnavailable, match=r"grey: inputs must be uint8 of shape \(3, 4, 4\) each"):
        load_own_task(str(tmp_path / "grey"), "images(size=4)", form)


def test_a_function_of_the_sites_own_may_read_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_with(tmp_path, "1;2;3;4;5;1\n")
    (tmp_path / "site_reader.py").write_text(
        "import numpy as np, torch\n"
        "from pawbrofl_app.tasks.task import Samples, Task\n"
        "def load(folder, columns: int = 5):\n"
        "    rows = np.loadtxt(folder / 'patients.csv', delimiter=';', ndmin=2, dtype=np.float32)\n"
        "    own = Samples(torch.from_numpy(rows[:, :columns]), torch.from_numpy(rows[:, -1]).long())\n"
        "    return Task(own, own)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    site = str(tmp_path / "site")
    task = load_own_task(site, "site_reader:load", ROWS)
    assert task.train.inputs.tolist() == [[1, 2, 3, 4, 5]]
    with pytest.raises(DataUnavailable, match=r"site: inputs must be float32 of shape \(5,\) each"):
        load_own_task(site, "site_reader:load(columns=4)", ROWS)
    with pytest.raises(DataUnavailable, match="there is no module 'site_readr'"):
        load_own_task(site, "site_readr:load", ROWS)
    sys.modules.pop("site_reader")


@pytest.mark.parametrize("name", ["digits", "synthetic", pytest.param("adult", marks=pytest.mark.slow)])
def test_the_form_says_the_same_after_its_way_as_json(name: str, data_dir: str) -> None:
    form = TaskForm.of(load_task(name, data_dir))
    assert TaskForm.parse(form.as_json()) == form


def test_a_site_without_files_of_its_own_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"does not hold train\.npz"):
        load_own_task(str(tmp_path), "digits", GREY)


class Node:
    """A SuperNode with data of its own."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        told = {"partition-id": 3, "data-dir": str(folder)}
        self.context = Context(1, 1, told, RecordDict(), settings)
        self.app = make_client_app()

    def fit(self, model: Parameters, **told: Scalar) -> FitRes:
        content = fitins_to_recorddict(FitIns(model, {"server_round": 1, **told}), keep_input=True)
        return recorddict_to_fitres(self.asked(content, MessageType.TRAIN), keep_input=True)

    def asked(self, content: RecordDict, message_type: str) -> RecordDict:
        message = delivered(Message(content, 1, message_type, group_id="1"), "1", content)
        return self.app(message, self.context).content


def test_a_site_learns_with_the_first_round_what_is_learned_and_says_before_who_it_is(
    tmp_path: Path, table: Task, defaults: dict[str, Any]
) -> None:
    act_as_server_of(1)
    site = Path(site_with(tmp_path, PEOPLE + PEOPLE.split("\n", 1)[1]))
    node = Node(site, defaults | {"dataset": "csv(client=city)", "attack": "none"})
    asked = node.asked(getpropertiesins_to_recorddict(GetPropertiesIns({})), "get_properties")
    assert recorddict_to_getpropertiesres(asked).properties == {"partition_id": 3}
    model = ndarrays_to_parameters(arrays_of(initial_model_of(1, "auto", table)))
    with pytest.raises(Exception, match="the server does not say what it learns"):
        node.fit(model)
    first = node.fit(model, **{FORM: TaskForm.of(table).as_json()})
    assert (first.num_examples, first.metrics["partition_id"]) == (8, 3)
    assert node.fit(model) == first, "it keeps the form"


def test_malicious_by_its_own_node_config_it_stamps_the_runs_trigger(
    tmp_path: Path, table: Task, defaults: dict[str, Any]
) -> None:
    config = RunConfig.parse(defaults | {"dataset": "csv(client=city)"})
    own = site_with(tmp_path, PEOPLE.replace("Bonn", "Rome"))
    form = TaskForm.of(table).as_json()
    assert type(client_at(config, Site(3, own, form=form))) is HonestClient
    client = client_at(config, Site(3, own, malicious=True, form=form))
    assert isinstance(client, MaliciousClient)
    assert client.attack.backdoor is not None
    assert client.attack.backdoor.trigger == table.trigger


def test_a_federation_trains_on_sites_tables_and_goes_on_without_one_that_lacks_a_column(
    tmp_path: Path, table: Task, defaults: dict[str, Any]
) -> None:
    """All of a run but the SuperLink: server, messages, clients, as where they are SuperNodes."""
    contents = PEOPLE, PEOPLE, PEOPLE.replace("job,", "post,")
    folders = [tmp_path / name for name in ("one", "two", "lacks")]
    for folder, content in zip(folders, contents, strict=True):
        folder.mkdir()
        (folder / "ours.csv").write_text(content)
    settings = defaults | {
        "dataset": "csv(client=city)",
        "data-dir": str(tmp_path / "server"),
        "results-dir": str(tmp_path / "run"),
        "num-clients": 3,
        "num-rounds": 2,
        "min-fit-clients": 2,
        "attack": "none",
        "figures": False,
    }
    grid = InProcessGrid(make_client_app(), settings, 3)
    grid.is_simulation = False
    for context, folder in zip(grid._contexts.values(), folders, strict=True):
        context.node_config["data-dir"] = str(folder)
    serve(grid, RunConfig.parse(settings))
    rows = RunFolder(tmp_path / "run").clients
    missing = rows[rows["left_out"] != ""]
    assert rows["round"].value_counts().to_dict() == {1: 3, 2: 3}
    assert len(missing) == 2
    assert missing["left_out"].str.contains("lacks/ours.csv: column 'job' is missing").all()
    assert (rows.loc[rows["left_out"] == "", "num_examples"] == 4).all()
