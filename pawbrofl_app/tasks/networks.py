"""The networks by name. PyTorch, and the network's own file, are imported when one is first made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attacks.named_object import named_object, split_name, with_parameters

if TYPE_CHECKING:
    from torch import nn

    from .task import Task

TASKS_OWN = "auto"
"""The network that a task names as its default."""

NETWORKS: dict[str, str] = {
    "cnn": ".convolutional_networks:ConvolutionalNetwork",
    "normalized-cnn": ".convolutional_networks:NormalizedConvolutionalNetwork",
    "perceptron": ".perceptron:Perceptron",
    "logistic": ".logistic_regression:LogisticRegression",
    "resnet18": ".residual_networks:ResNet18",
    "resnet18-batch-norm": ".residual_networks:BatchNormalizedResNet18",
    "small-perceptron": ".small_perceptron:SmallPerceptron",
}
"""A module of this package and a class in it: ``Network(input_shape, num_classes)``."""

PAPERS_SHAPE, PAPERS_CLASSES = (1, 28, 28), 10


class UnfitNetwork(ValueError):
    """A network does not take a task's inputs, or does not score its classes."""


def make_network(network: str, input_shape: Sequence[int], num_classes: int) -> nn.Module:
    """Return one of `NETWORKS`, or of ``module:class``, with weights that PyTorch draws now.

    Raises
    ------
    ValueError
        For a network that does not exist, or a parameter that it does not have.
    """
    name, given = split_name(network)
    kind = named_object(NETWORKS.get(name, name), __package__)
    made: nn.Module = kind(tuple(input_shape), num_classes, **with_parameters(kind, given))
    return made


def network_of(network: str, task: Task) -> str:
    """Return the name of what learns a task where a run asks for a network, "auto" among them."""
    return task.network if network == TASKS_OWN else network


def initial_model(
    seed: int,
    network: str = "cnn",
    input_shape: Sequence[int] = PAPERS_SHAPE,
    num_classes: int = PAPERS_CLASSES,
) -> nn.Module:
    """Return one of `NETWORKS` with PyTorch's default initial weights, drawn from a seed."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_network(network, input_shape, num_classes)


def initial_model_of(seed: int, network: str, task: Task) -> nn.Module:
    """Return the initial model of a run on a task; see `initial_model`."""
    return initial_model(seed, network_of(network, task), task.input_shape, task.num_classes)


def check_network(network: str, task: Task) -> None:
    """Have a network score two samples of a task.

    Raises
    ------
    UnfitNetwork
        Naming the network, the task's shape, and what is wrong.
    """
    import torch

    name = network_of(network, task)
    what = (
        f"network {name!r}, made with input_shape {task.input_shape} and num_classes "
        f"{task.num_classes}, does not fit the data"
    )
    inputs, _ = task.train.select(np.array([0, -1])).as_inputs(torch.device("cpu"))
    try:
        with torch.inference_mode():
            scores = initial_model_of(0, network, task).eval()(inputs)
    except Exception as problem:
        raise UnfitNetwork(f"{what}: {problem}") from problem
    if tuple(scores.shape) != (2, task.num_classes):
        raise UnfitNetwork(
            f"{what}: for 2 of them it must return scores of shape (2, {task.num_classes}), one for "
            f"each class, got {tuple(scores.shape)}"
        )
