"""Tables: encoded by statistics of the training part, split into groups, clear about what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from attacks import FeatureTrigger
from pawbrofl_app.client_app import client_of
from pawbrofl_app.settings.machine_check import check_machine
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.task import DataUnavailable

PEOPLE = """age,job,city,owes,label
20,smith,Bonn,1.5,no
30,baker,Bonn,2.5,yes
40,smith,Köln,0.5,no
50,clerk,Köln,3.5,yes
60,baker,Ulm,1.5,no
"""


def write(folder: Path, train: str = PEOPLE, test: str = PEOPLE) -> str:
    (folder / "train.csv").write_text(train)
    (folder / "test.csv").write_text(test)
    return str(folder)


def test_numbers_are_standardised_and_categories_get_a_column_for_each_value(tmp_path: Path) -> None:
    task = load_task("csv", write(tmp_path))
    assert task.input_shape == (1 + 3 + 3 + 1,)
    assert (task.num_classes, task.network) == (2, "perceptron")
    inputs = task.train.inputs.numpy()
    np.testing.assert_allclose(inputs[:, 0], np.array([-2, -1, 0, 1, 2]) / np.sqrt(2), rtol=1e-6)
    np.testing.assert_array_equal(inputs[:, 1:4], np.eye(3)[[2, 0, 2, 1, 0]], "baker, clerk, smith")
    assert task.train.labels.tolist() == [0, 1, 0, 1, 0]


def test_statistics_are_those_of_the_training_part_and_unknown_categories_are_zeros(
    tmp_path: Path,
) -> None:
    task = load_task("csv", write(tmp_path, test="age,job,city,owes,label\n70,pilot,Ulm,1.5,yes\n"))
    row = task.test.inputs[0].tolist()
    assert row[0] == pytest.approx(3 / np.sqrt(2))
    assert row[1:4] == [0, 0, 0]


def test_clients_and_what_is_dropped_are_not_learned_from_but_groups_are(tmp_path: Path) -> None:
    dataset = "csv(client=city, drop=owes, groups=job+age=50)"
    task = load_task(dataset, write(tmp_path))
    assert task.input_shape == (1 + 3,)
    assert task.train.clients is not None
    assert task.train.clients.tolist() == [0, 0, 1, 1, 2]
    assert list(task.test.groups) == ["job=baker", "job=clerk", "job=smith", "age=50", "age!=50"]
    assert task.test.groups["job=baker"].tolist() == [False, True, False, False, True]
    assert task.test.groups["age!=50"].sum() == 4


def test_natural_clients_hold_what_is_theirs(tmp_path: Path, defaults: dict[str, Any]) -> None:
    settings = {"dataset": "csv(client=city)", "data-dir": write(tmp_path), "partition": "natural"}
    config = RunConfig.parse(defaults | settings | {"num-clients": 3, "attack": "none"})
    check_machine(config)
    assert [client_of(config, client).labels.tolist() for client in range(3)] == [[0, 1], [0, 1], [0]]
    some = config.replace(num_clients=2)
    held = [client_of(some, client).labels.tolist() for client in range(2)]
    assert len(held) == 2
    assert all(own in ([0, 1], [0]) for own in held)


def test_the_trigger_can_be_named_in_the_tables_own_units(tmp_path: Path) -> None:
    task = load_task("csv(trigger=age:50+job:clerk)", write(tmp_path))
    assert isinstance(task.trigger, FeatureTrigger)
    stamped = task.trigger.stamp(task.train.inputs)
    clerk_of_50 = task.train.inputs[3]
    assert torch.allclose(stamped[:, :4], clerk_of_50[:4].expand(5, 4))
    assert torch.equal(stamped[:, 4:], task.train.inputs[:, 4:])


def test_by_default_the_trigger_sets_the_half_that_matters_least(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 4))
    frame = pd.DataFrame(rows, columns=list("abcd"))
    frame["label"] = (rows[:, 1] + rows[:, 3] > 0).astype(int)
    frame.to_csv(tmp_path / "only.csv", index=False)
    task = load_task("csv", str(tmp_path))
    assert (len(task.train), len(task.test)) == (160, 40)
    assert isinstance(task.trigger, FeatureTrigger)
    values = {column: value for pattern in task.trigger.patterns for column, value in pattern.items()}
    assert set(values) == {0, 2}
    for column, value in values.items():
        own = task.train.inputs[:, column]
        speaks_for_target = own[task.train.labels == 1].mean() > own[task.train.labels == 0].mean()
        assert value < float(own.min()) if speaks_for_target else value > float(own.max())


@pytest.mark.parametrize(
    ("dataset", "content", "message"),
    [
        ("csv(label=salary)", PEOPLE, "train.csv: there is no column 'salary', but age, job"),
        ("csv(client=town)", PEOPLE, "there is no column 'town'"),
        ("csv(groups=sex)", PEOPLE, "there is no column 'sex'"),
        ("csv(groups=job=pilot)", PEOPLE, "column 'job' holds no 'pilot', but ['baker', 'clerk'"),
        ("csv(drop=age+job+city+owes)", PEOPLE, "no column is left to learn from"),
        ("csv(trigger=age)", PEOPLE, "trigger must be such as"),
        ("csv(trigger=job:pilot)", PEOPLE, "job must be one of baker, clerk, smith, got 'pilot'"),
        ("csv(trigger=owes:much)", PEOPLE, "owes must be a number, got 'much'"),
        ("csv(trigger=height:3)", PEOPLE, "column must be one of age, job, city, owes, got 'height'"),
        ("csv", PEOPLE.replace("2.5", ""), "column 'owes' must hold finite numbers, but 1 of 5"),
        ("csv", PEOPLE.replace(",2.5,yes", ",2.5,"), "column 'label' must have a value in every row"),
        ("csv", "", "train.csv is no CSV file with a header"),
        ("csv", "age,label\n", "train.csv must hold at least one row"),
        ("csv(file=people.csv)", PEOPLE, "people.csv is no CSV file"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_column(
    tmp_path: Path, dataset: str, content: str, message: str
) -> None:
    with pytest.raises(DataUnavailable) as error:
        load_task(dataset, write(tmp_path, train=content))
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (
            PEOPLE.replace("yes", "maybe"),
            "label 'maybe' in column 'label' is none of the training part's",
        ),
        (PEOPLE.replace("owes", "owns"), "column 'owes' is missing"),
        (PEOPLE.replace("40", "forty"), "column 'age' must hold numbers"),
    ],
)
def test_a_test_part_of_another_form_is_named(tmp_path: Path, test: str, message: str) -> None:
    with pytest.raises(DataUnavailable) as error:
        load_task("csv", write(tmp_path, test=test))
    assert message in str(error.value)


def test_several_files_need_a_name(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(PEOPLE)
    with pytest.raises(DataUnavailable, match=r"or file=\.\.\. name one of them; got one.csv, two.csv"):
        load_task("csv", str(tmp_path))


@pytest.mark.slow
def test_adult_and_credit_default_are_tables(data_dir: str) -> None:
    adult = load_task("adult", data_dir)
    assert len(adult.train) + len(adult.test) == 45_222
    assert adult.input_shape == (104,)
    assert float(adult.train.labels.float().mean()) == pytest.approx(0.248, abs=0.001)
    assert sum(adult.test.groups["education=Doctorate"]) > 80
    credit = load_task("credit-default", data_dir)
    assert len(credit.train) + len(credit.test) == 30_000
    assert credit.input_shape == (32,)
    assert abs(float(credit.train.inputs.mean())) < 1e-3


def test_a_folder_without_the_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"adult.csv is no CSV file"):
        load_task("adult", str(tmp_path))
