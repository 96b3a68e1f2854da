"""Measures of how badly a client is served: what it reports as its optimality gap.

PAwBRoFL approximates a client's optimality gap ``F_i(theta) - F_i*`` by what its own local training
gains: the loss on its training data under the received model minus the loss after training. Others may
be reported in its place. A measure is a class and its line in `GAP_MEASURES`; one client's training and
that of many in lock-step ask it alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Loss = TypeVar("Loss", float, "Tensor")


@dataclass(frozen=True)
class ObservedTraining(Generic[Loss]):
    """A local training about to begin, and what may be observed of it.

    Of one client, in floats, or of several in lock-step, in float64 tensors of shape (clients,).

    Attributes
    ----------
    take_steps : callable
        Trains, and returns the losses of the first and the last batch, each before its step.
    mean_loss : callable
        Returns the mean cross-entropy under the model of the moment, in eval mode, on the samples that
        the gap is measured on. Each call is a pass over them, a cost beside training.
    gradient_norm : callable, optional
        Returns the Euclidean norm of that loss's gradient. None in lock-step.
    """

    take_steps: Callable[[], tuple[Loss, Loss]]
    mean_loss: Callable[[], Loss]
    gradient_norm: Callable[[], Loss] | None = None


class GapMeasure(ABC):
    """What is reported as the optimality gap.

    Attributes
    ----------
    holds_out : bool
        Whether a share of the client's samples is measured on and not trained on.
    in_lock_step : bool
        Whether it can be taken of clients in lock-step.
    """

    holds_out: ClassVar[bool] = False
    in_lock_step: ClassVar[bool] = True

    @abstractmethod
    def measure(self, training: ObservedTraining[Loss]) -> tuple[Loss, Loss, Loss]:
        """Have the training take its steps, once; return the loss before, the loss after and the gap."""


class TrainingGap(GapMeasure):
    """The loss gained on the training data, as in the paper."""

    def measure(self, training: ObservedTraining[Loss]) -> tuple[Loss, Loss, Loss]:
        """Take the mean loss before and after."""
        before = training.mean_loss()
        training.take_steps()
        after = training.mean_loss()
        return before, after, before - after


class ValidationGap(TrainingGap):
    """The loss gained on samples that are held out from training."""

    holds_out = True


class BatchesGap(GapMeasure):
    """The first batch's loss minus the last one's: no pass over the data, but different samples."""

    def measure(self, training: ObservedTraining[Loss]) -> tuple[Loss, Loss, Loss]:
        """Take the losses that the steps compute anyway."""
        first, last = training.take_steps()
        return first, last, first - last


class GradientNorm(TrainingGap):
    """The norm of the loss's gradient under the received model, in units of loss per parameter."""

    in_lock_step = False

    def measure(self, training: ObservedTraining[Loss]) -> tuple[Loss, Loss, Loss]:
        """Take the norm before the steps; the losses are for the record."""
        assert training.gradient_norm is not None
        norm = training.gradient_norm()
        before, after, _ = super().measure(training)
        return before, after, norm


GAP_MEASURES: Mapping[str, GapMeasure] = {
    "training": TrainingGap(),
    "validation": ValidationGap(),
    "batches": BatchesGap(),
    "gradient-norm": GradientNorm(),
}
