"""The server's evaluation of the global model: test accuracy and loss, attack success rate."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from attacks import Backdoor
from clients.local_evaluation import evaluation_batch

from .devices import processors


@dataclass(frozen=True)
class Evaluation:
    """What the global model achieves on the test part.

    Attributes
    ----------
    accuracy : float
        Share of test images classified correctly.
    loss : float
        Mean cross-entropy.
    attack_success_rate : float
        Share of the test images of other classes that the stamped trigger turns into the target.
    """

    accuracy: float
    loss: float
    attack_success_rate: float


@torch.inference_mode()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor, backdoor: Backdoor) -> Evaluation:
    """Evaluate a model on test images, as they are and with the whole trigger stamped on them.

    Parameters
    ----------
    model : Module
        Maps images to class scores.
    images : Tensor of shape (n, 1, height, width), float
    labels : Tensor of shape (n,), int64
    backdoor : Backdoor
        The attack's, or one to compare with. Images of its target class are not counted, as a model
        without any backdoor gives it to them.
    """
    model.eval()
    scores = class_scores(model, images)
    others = images[labels != backdoor.target]
    hits = class_scores(model, backdoor.trigger.stamp(others)).argmax(dim=1) == backdoor.target
    return Evaluation(
        accuracy=float((scores.argmax(dim=1) == labels).double().mean()),
        loss=float(functional.cross_entropy(scores.double(), labels)),
        attack_success_rate=float(hits.double().mean()),
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
    if images.device.type != "cpu":
        return torch.cat([model(batch) for batch in batches])

    @torch.inference_mode()  # counts for the thread that enters it
    def scores_of(batch: Tensor) -> Tensor:
        scores: Tensor = model(batch)
        return scores

    with ThreadPoolExecutor(processors(), initializer=torch.set_num_threads, initargs=(1,)) as threads:
        return torch.cat(list(threads.map(scores_of, batches)))
