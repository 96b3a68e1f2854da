"""Many clients trained in lock-step, as one batched program.

Each client has its own model, and all of them take their next step together: `torch.func.vmap` makes one
computation of theirs. A GPU that batches of ten leave idle is so kept busy; a CPU is not, and computes
them faster one after the other. Clients may have different numbers of samples: where a batch is not
whole, or a client has taken all its steps, what is left counts with weight zero, and a gradient of zero
changes no model. Each client's batches are those of `local_training.train`, and its numbers are the same
within floating-point error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn import functional

from attacks.knowledge import TrainingReport

from .gap_measures import GAP_MEASURES, ObservedTraining
from .local_evaluation import BatchTransform, evaluation_batch
from .local_training import LocalTraining
from .training_steps import Inertia, StepsItself, replayed, steps_itself

Models = dict[str, Tensor]


@dataclass(frozen=True)
class ClientSamples:
    """What one client of a cohort trains on: the arguments of `local_training.train_and_measure`."""

    inputs: Tensor
    labels: Tensor
    generator: torch.Generator
    transform: BatchTransform | None = None


def can_train_in_lock_step(model: nn.Module, training: LocalTraining) -> bool:
    """Return whether a model, and what is measured of it, allow lock-step: it must have no buffers."""
    names = [name for name, _ in model.named_parameters()]
    return training.measure.in_lock_step and names == list(model.state_dict())


def train_in_lock_step(
    model: nn.Module, cohort: Sequence[ClientSamples], training: LocalTraining
) -> tuple[Models, list[TrainingReport]]:
    """Train copies of a model, one on each client's samples, and report the optimality gaps.

    Parameters
    ----------
    model : Module
        The received model, which stays as it is; see `can_train_in_lock_step`.
    cohort : sequence of ClientSamples
        At least one, all on the model's device, each with at least one sample.
    training : LocalTraining

    Returns
    -------
    models : dict of str to Tensor
        By the parameter's name, the trained parameters of shape (clients, ...).
    reports : list of TrainingReport
        In the clients' order.

    Raises
    ------
    ValueError
        For a client without samples, or what `can_train_in_lock_step` denies.
    """
    if not can_train_in_lock_step(model, training):
        allowed = ", ".join(name for name, measure in GAP_MEASURES.items() if measure.in_lock_step)
        raise ValueError(
            f"for lock-step, model must have no buffers and gap_measure be one of {allowed}, "
            f"got {type(model).__name__} and {training.gap_measure!r}"
        )
    counts = [len(client.labels) for client in cohort]
    if 0 in counts:
        raise ValueError(f"each client must have at least one sample, got {counts}")
    plans = [_Plan.of(client, training) for client in cohort]
    inputs, labels = (
        torch.cat([getattr(plan, part) for plan in plans]) for part in ("inputs", "labels")
    )
    itself = steps_itself(model, training.inertia)
    if itself is not None:
        inputs = itself.prepared(inputs)
    models = {
        name: parameter.detach().unsqueeze(0).repeat(len(cohort), *[1] * parameter.dim())
        for name, parameter in model.named_parameters()
    }
    measured = _Measured.of(plans)
    schedule = _Schedule.of(plans, training.batch_size)
    fitted = [training.num_fitted(count) for count in counts]
    losses = training.measure.measure(
        ObservedTraining(
            partial(_train, model, itself, models, inputs, labels, schedule, training),
            partial(_mean_losses, model, itself, models, inputs, labels, measured),
        )
    )
    before, after, gaps = (each.tolist() for each in losses)
    reports = [TrainingReport(*each) for each in zip(before, after, fitted, gaps, strict=True)]
    return models, reports


@dataclass(frozen=True)
class _Plan:
    """A client's samples as it sees them, and by their positions its batches and what it measures on."""

    inputs: Tensor
    labels: Tensor
    batches: list[Tensor]
    measured: Tensor

    @classmethod
    def of(cls, client: ClientSamples, training: LocalTraining) -> _Plan:
        count, size = len(client.labels), training.batch_size
        fitted, measured = training.num_fitted(count), training.measured_on(count)
        batches = [
            batch
            for _ in range(training.epochs)
            for batch in torch.randperm(fitted, generator=client.generator).split(size)
        ]
        if client.transform is None:
            return cls(client.inputs, client.labels, batches, measured)
        at_once = evaluation_batch(client.inputs.device)
        seen = [
            client.transform(client.inputs[taken], client.labels[taken])
            for taken in (*batches, *measured.split(at_once))
        ]
        inputs, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
        places = torch.arange(len(labels)).split([len(targets) for _, targets in seen])
        return cls(inputs, labels, list(places[: len(batches)]), torch.cat(places[len(batches) :]))


@dataclass(frozen=True)
class _Schedule:
    """Which samples each client takes in each step, as positions in all clients' samples joined.

    ``positions`` and ``weights`` have shape (steps, clients, batch size); weights are those of the
    samples in the batch's mean loss. ``num_steps``, of shape (clients,), says how many steps each takes.
    """

    positions: Tensor
    weights: Tensor
    num_steps: Tensor

    @classmethod
    def of(cls, plans: Sequence[_Plan], size: int) -> _Schedule:
        num_steps = torch.tensor([len(plan.batches) for plan in plans])
        shape = int(num_steps.max()), len(plans), size
        positions, weights = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape)
        start = 0
        for i, plan in enumerate(plans):
            padded = nn.utils.rnn.pad_sequence(plan.batches, batch_first=True)
            lengths = torch.tensor([len(batch) for batch in plan.batches])[:, None]
            positions[: len(padded), i, : padded.shape[1]] = start + padded
            weights[: len(padded), i] = (torch.arange(size) < lengths) / lengths
            start += len(plan.labels)
        device = plans[0].inputs.device
        return cls(positions.to(device), weights.to(device), num_steps.to(device))


def _train(
    model: nn.Module,
    itself: StepsItself | None,
    models: Models,
    inputs: Tensor,
    labels: Tensor,
    schedule: _Schedule,
    training: LocalTraining,
) -> tuple[Tensor, Tensor]:
    """Take all steps in place; return the losses of first and last batches, (clients,) in float64."""

    def batch_loss(parameters: Models, batch: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        scores = functional_call(model, parameters, (batch,))
        return (weights * functional.cross_entropy(scores, targets, reduction="none")).sum()

    gradients_and_losses = vmap(grad_and_value(batch_loss))
    own = list(models.values())
    losses = torch.zeros(schedule.positions.shape[:2], device=inputs.device)
    number = torch.zeros(1, dtype=torch.int64, device=inputs.device)
    velocities = {name: torch.zeros_like(own) for name, own in models.items() if training.momentum}

    def move(gradients: Models) -> None:
        for name, parameters in models.items():
            gradient = training.inertia.direction(gradients[name], parameters, velocities.get(name))
            if training.inertia != Inertia():  # a client that has taken all its steps moves no more
                moves = (number < schedule.num_steps).view(-1, *[1] * (gradient.dim() - 1))
                gradient = torch.where(moves, gradient, 0)
            parameters.add_(gradient, alpha=-training.learning_rate)

    def step() -> None:
        taken = schedule.positions.index_select(0, number)[0]
        weights = schedule.weights.index_select(0, number)[0]
        batch, targets = inputs[taken], labels[taken]
        if itself is not None:
            loss = itself.sgd_step(own, batch, targets, weights, training.learning_rate)
        else:
            gradients, loss = gradients_and_losses(models, batch, targets, weights)
            move(gradients)
        losses.index_copy_(0, number, loss[None])
        number.add_(1)

    model.train()
    next_step = replayed(step, inputs.device)
    for _ in range(len(losses)):
        next_step()
    last = losses.gather(0, schedule.num_steps[None] - 1)[0]
    return losses[0].double(), last.double()


@dataclass(frozen=True)
class _Measured:
    """Which samples each client's loss is measured on, as positions in all clients' samples joined.

    ``positions`` has shape (clients, most samples); ``counts``, of shape (clients,), says how many of
    them are the client's, from the first one on.
    """

    positions: Tensor
    counts: Tensor

    @classmethod
    def of(cls, plans: Sequence[_Plan]) -> _Measured:
        ends = accumulate(len(plan.labels) for plan in plans)
        positions = [
            end - len(plan.labels) + plan.measured for end, plan in zip(ends, plans, strict=True)
        ]
        device = plans[0].inputs.device
        return cls(
            nn.utils.rnn.pad_sequence(positions, batch_first=True).to(device),
            torch.tensor([len(each) for each in positions], device=device),
        )


@torch.no_grad()
def _mean_losses(
    model: nn.Module,
    itself: StepsItself | None,
    models: Models,
    inputs: Tensor,
    labels: Tensor,
    measured: _Measured,
) -> Tensor:
    """Return each client's mean cross-entropy over its samples, (clients,) in float64, in eval mode."""

    def losses(parameters: Models, batch: Tensor, targets: Tensor) -> Tensor:
        scores = functional_call(model, parameters, (batch,))
        return functional.cross_entropy(scores, targets, reduction="none")

    def losses_of_all(batch: Tensor, targets: Tensor) -> Tensor:
        if itself is None:
            found: Tensor = vmap(losses)(models, batch, targets)
            return found
        scores = itself.scores(list(models.values()), batch).movedim(2, 1)
        return functional.cross_entropy(scores, targets, reduction="none")

    model.eval()
    num_clients, most = measured.positions.shape
    totals = torch.zeros(num_clients, dtype=torch.float64, device=inputs.device)
    at_once = evaluation_batch(inputs.device)
    if itself is None:
        at_once = max(1, at_once // num_clients)
    for first in range(0, most, at_once):
        taken = measured.positions[:, first : first + at_once]
        batch_losses = losses_of_all(inputs[taken], labels[taken])
        offsets = torch.arange(first, first + taken.shape[1], device=inputs.device)
        counted = offsets < measured.counts[:, None]
        totals += torch.where(counted, batch_losses, 0).sum(dim=1, dtype=torch.float64)
    return totals / measured.counts
