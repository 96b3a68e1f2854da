"""A task is checked when it is made, and all else takes shape and classes from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from attacks import ATTACKS, BarTrigger, FeatureTrigger
from attacks.named_object import named_object, split_name, with_parameters
from pawbrofl_app.client_app import client_of
from pawbrofl_app.roles import evaluated_backdoor, malicious_clients
from pawbrofl_app.settings.machine_check import check_machine
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.datasets import DATASETS, load_task
from pawbrofl_app.tasks.evaluation import evaluate
from pawbrofl_app.tasks.networks import NETWORKS, initial_model, initial_model_of
from pawbrofl_app.tasks.task import DataUnavailable, Samples, Task

TABLE = FeatureTrigger(({0: 4.0}, {1: 5.0}, {2: 6.0}))


def made_up(shape: tuple[int, ...], num_classes: int = 3, count: int = 60) -> Task:
    """A task of random inputs, with bytes where they are images."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(count, *shape)).astype(np.float32)
    if len(shape) == 3:
        inputs = random.integers(0, 256, (count, *shape), dtype=np.uint8)
    samples = Samples(torch.from_numpy(inputs), torch.arange(count) % num_classes)
    return Task(samples, samples, trigger=None if len(shape) == 3 else TABLE)


def made_up_images(_: Any, size: int = 32) -> Task:
    return made_up((3, size, size))


def made_up_table(_: Any) -> Task:
    return made_up((7,))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "pictures", f"{__name__}:made_up_images")
    monkeypatch.setitem(DATASETS, "rows", f"{__name__}:made_up_table")


@pytest.mark.parametrize(
    ("dataset", "shape", "network"),
    [
        ("pictures", (3, 32, 32), "cnn"),
        ("pictures(size=17)", (3, 17, 17), "cnn"),
        ("rows", (7,), "perceptron"),
    ],
)
def test_a_new_task_is_one_line_and_clients_train_and_attack_on_it(
    defaults: dict[str, Any], dataset: str, shape: tuple[int, ...], network: str
) -> None:
    config = RunConfig.parse(defaults | {"dataset": dataset, "num-clients": 6, "local-epochs": 1})
    check_machine(config)
    task = load_task(dataset)
    assert (task.input_shape, task.num_classes, task.network) == (shape, 3, network)
    model = initial_model_of(config.seed, config.training.network, task)
    arrays = [value.numpy() for value in model.state_dict().values()]
    for client in (malicious_clients(config)[0], 0):
        trained, number, _ = client_of(config, client).fit(arrays, {"server_round": 1})
        assert number == 10
        assert any((a != b).any() for a, b in zip(arrays, trained, strict=True))
    inputs, labels = task.test.as_inputs(torch.device("cpu"))
    backdoor = evaluated_backdoor(config.threat, task)
    assert backdoor.target == 2
    assert isinstance(backdoor.trigger, BarTrigger if len(shape) == 3 else FeatureTrigger)
    result = evaluate(model, inputs, labels, backdoor)
    assert 0 <= result.attack_success_rate <= 1


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("dataset", ["pictures", "rows"])
def test_every_attack_fits_a_task_or_is_refused_before_the_run(
    defaults: dict[str, Any], attack: str, dataset: str
) -> None:
    config = RunConfig.parse(defaults | {"dataset": dataset, "attack": attack, "num-clients": 5})
    refused = {
        ("erased-corner", "rows"): r"'erased-corner' does not fit .* needs images",
        ("edge-case", "rows"): "source must be one of the test samples' classes 0, 1, 2, got 7",
        ("edge-case", "pictures"): "source must be one of the test samples' classes 0, 1, 2, got 7",
    }
    if (attack, dataset) in refused:
        with pytest.raises(InvalidSetting, match=refused[attack, dataset]):
            check_machine(config)
    else:
        check_machine(config)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target-label": 3}, "target-label must be below 3, the number of classes, got 3"),
        ({"trigger-size": 20}, "a trigger of 4 x 42 pixels does not fit images of 32 x 32"),
        ({"attack": "label-flip(num_classes=9)"}, "must keep the shape (3, 32, 32) of inputs and give"),
        ({"dataset": "pictures(side=3)"}, "'pictures(side=3)': parameters are size; got 'side'"),
        ({"dataset": "pictures(size=big)"}, "size must be of type int, got 'big'"),
        (
            {"dataset": "pictures(size=3)"},
            "made with input_shape (3, 3, 3) and num_classes 3, does not fit the data: it takes",
        ),
        ({"dataset": "rows", "network": "cnn"}, "it takes images of at least 4 x 4 pixels"),
        ({"dataset": "rows", "minority": "rotated"}, "minority 'rotated' needs images, but inputs"),
        ({"minority": "classes", "num-clients": 40}, "leaves some of them without samples"),
    ],
)
def test_what_does_not_fit_the_task_is_named_before_the_run(
    defaults: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    given = defaults | {"dataset": "pictures", "num-clients": 5} | settings
    with pytest.raises((InvalidSetting, DataUnavailable)) as error:
        check_machine(RunConfig.parse(given))
    assert message in str(error.value)


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_scores_the_classes_of_any_image(network: str) -> None:
    for shape, classes in (((1, 28, 28), 10), ((3, 32, 32), 100), ((2, 9, 30), 2)):
        assert initial_model(0, network, shape, classes)(torch.rand(2, *shape)).shape == (2, classes)


X, Y = torch.zeros(4, 3), torch.tensor([0, 1, 2, 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Samples(X.double(), Y), "inputs must be uint8 or float32, got torch.float64"),
        (lambda: Samples(X, Y.float()), "labels must be whole numbers, got torch.float32"),
        (lambda: Samples(X, Y[:3]), "labels must be one for each of 4 inputs"),
        (lambda: Samples(X, Y, np.zeros(3, np.int64)), "clients must be one for each of 4"),
        (lambda: Samples(X, Y, groups={"old": np.ones(5, bool)}), "old must be one for each of 4"),
        (lambda: Task(Samples(X, Y), Samples(X[:0], Y[:0])), "the test part must hold at least one"),
        (lambda: Task(Samples(X, Y), Samples(X[:, :2], Y)), "inputs of training and test part must be"),
        (lambda: Task(Samples(X, Y), Samples(X, Y), 2), "labels must be at least 0 and below 2"),
        (lambda: Task(Samples(X, Y - 1), Samples(X, Y)), "got -1 to 2"),
    ],
)
def test_what_does_not_go_together_is_named(make: Any, message: str) -> None:
    with pytest.raises(DataUnavailable) as error:
        make()
    assert message in str(error.value)


def test_samples_keep_their_clients_and_groups_when_some_are_selected() -> None:
    samples = Samples(X, Y, np.array([7, 7, 8, 9]), {"odd": np.array([False, True, False, True])})
    some = samples.select(np.array([3, 0]))
    assert some.labels.tolist() == [1, 0]
    assert some.clients is not None
    assert some.clients.tolist() == [9, 7]
    assert some.groups["odd"].tolist() == [True, False]


def test_names_take_parameters() -> None:
    assert split_name("digits") == ("digits", {})
    assert split_name(" a.b:c( x = 1,y=two ) ") == ("a.b:c", {"x": "1", "y": "two"})
    assert with_parameters(made_up_images, {"size": "8"}) == {"size": 8}
    assert named_object(".digits:read_digits", "pawbrofl_app.tasks").__name__ == "read_digits"
    for reference, message in (
        ("no_such_module:x", "there is no module 'no_such_module'"),
        (".digits:nothing", "has no 'nothing'"),
    ):
        with pytest.raises(ValueError, match=message):
            named_object(reference, "pawbrofl_app.tasks")
