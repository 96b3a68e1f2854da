"""The server's evaluation of the global model: accuracy, of each subgroup too, loss, attack success."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from attacks import Backdoor
from clients.local_evaluation import evaluation_batch

from .devices import processors
from .task import Subgroup

UNEVEN = 1.5
"""Classes are uneven where the largest has so many times the samples of the smallest."""

FEW_BATCHES = 8
"""So few cost less than the threads that would share them."""


@dataclass(frozen=True)
class Evaluation:
    """What the global model achieves on the test part.

    Attributes
    ----------
    accuracy : float
        Share of test samples classified correctly.
    loss : float
        Mean cross-entropy.
    attack_success_rate : float
        Share of the samples which it is measured on, the trigger stamped on them, that get the target.
    balanced_accuracy : float
        The mean of the classes' accuracies, where they are uneven; else NaN.
    subgroups : tuple of Subgroup
        Those that the task has.
    """

    accuracy: float
    loss: float
    attack_success_rate: float
    balanced_accuracy: float = math.nan
    subgroups: tuple[Subgroup, ...] = ()


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    backdoor: Backdoor | None,
    groups: Mapping[str, NDArray[np.bool_]] | None = None,
) -> Evaluation:
    """Evaluate a model on test samples, as they are and with the whole trigger stamped on them.

    Parameters
    ----------
    model : Module
        Maps inputs to class scores.
    inputs : Tensor of shape (n, ...), float
    labels : Tensor of shape (n,), int64
    backdoor : Backdoor, optional
        The attack's, or one to compare with; without one, attack success is NaN. It says on which
        samples it is measured.
    groups : mapping of str to ndarray of shape (n,), bool
        For which samples accuracy is measured apart.
    """
    model.eval()
    scores = class_scores(model, inputs)
    right = scores.argmax(dim=1) == labels
    return Evaluation(
        accuracy=float(right.double().mean()),
        loss=float(functional.cross_entropy(scores.double(), labels)),
        attack_success_rate=math.nan if backdoor is None else _success(model, inputs, labels, backdoor),
        balanced_accuracy=_balanced(right, labels),
        subgroups=_of_subgroups(right, groups or {}),
    )


def _success(model: nn.Module, inputs: Tensor, labels: Tensor, backdoor: Backdoor) -> float:
    cases = inputs[backdoor.cases(inputs, labels)]
    hits = class_scores(model, backdoor.trigger.stamp(cases)).argmax(dim=1) == backdoor.target
    return float(hits.double().mean())


def _balanced(right: Tensor, labels: Tensor) -> float:
    sizes = labels.bincount()
    present = sizes > 0
    if sizes.max() < UNEVEN * sizes[present].min():
        return math.nan
    hits = labels[right].bincount(minlength=len(sizes))
    return float((hits[present].double() / sizes[present]).mean())


def _of_subgroups(right: Tensor, groups: Mapping[str, NDArray[np.bool_]]) -> tuple[Subgroup, ...]:
    known = right.cpu().numpy()
    return tuple(
        Subgroup(name, int(members.sum()), float(known[members].mean()))
        for name, members in groups.items()
        if members.any()
    )


@torch.inference_mode()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images that a model classifies correctly.

    Parameters
    ----------
    model : Module
        Maps images to class scores.
    images : Tensor of shape (n, 1, height, width), float
    labels : Tensor of shape (n,), int64
    """
    model.eval()
    return float((class_scores(model, images).argmax(dim=1) == labels).double().mean())


def class_scores(model: nn.Module, images: Tensor) -> Tensor:
    """Return a model's class scores for images of any number.

    On a CPU each processor computes batches of its own, on one thread: products that several threads
    share are rounded otherwise, and the scores would depend on the number of threads.
    """
    batches = images.split(evaluation_batch(images.device))
    on_one_thread = torch.get_num_threads() == 1 and len(batches) <= FEW_BATCHES
    if images.device.type != "cpu" or on_one_thread:
        return torch.cat([model(batch) for batch in batches])

    @torch.inference_mode()  # counts for the thread that enters it
    def scores_of(batch: Tensor) -> Tensor:
        scores: Tensor = model(batch)
        return scores

    with ThreadPoolExecutor(processors(), initializer=torch.set_num_threads, initargs=(1,)) as threads:
        return torch.cat(list(threads.map(scores_of, batches)))
