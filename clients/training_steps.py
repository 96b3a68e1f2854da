"""The steps of SGD on the batches of an epoch: one by one, or replayed as a CUDA graph.

Batches of ten leave a GPU so little to compute that launching a step's kernels one by one takes longer
than their work. A graph launches all of them at once.
"""

from __future__ import annotations

import contextlib
import copy
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

EAGER_STEPS = 3
"""Steps before a graph is captured: libraries choose and set up their kernels in the first ones."""


@dataclass(frozen=True)
class Pull:
    """The gradient of half a squared distance from another model, times a strength.

    Attributes
    ----------
    strength : float
    towards : sequence of Tensor
        The other model's parameters that require a gradient, in their order.
    """

    strength: float
    towards: Sequence[Tensor]


@dataclass(frozen=True)
class Inertia:
    """What SGD has beside its learning rate, with the meaning that they have in ``torch.optim.SGD``.

    Attributes
    ----------
    momentum : float
        Every training begins at rest.
    weight_decay : float
    """

    momentum: float = 0.0
    weight_decay: float = 0.0

    def direction(self, gradient: Tensor, parameter: Tensor, velocity: Tensor | None) -> Tensor:
        """Return what a parameter moves along; its velocity, which momentum needs, changes in place."""
        if self.weight_decay:
            gradient = gradient.add(parameter, alpha=self.weight_decay)
        return gradient if velocity is None else velocity.mul_(self.momentum).add_(gradient)


@runtime_checkable
class StepsItself(Protocol):
    """A model that computes its steps of SGD faster than automatic differentiation would.

    For k copies of it at once: ``parameters`` are theirs in the model's order, each of shape (k, ...).
    """

    def prepared(self, inputs: Tensor) -> Tensor:
        """Return inputs (n, ...) as the other methods take them: what need not be done in every step."""
        ...

    def scores(self, parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Return each copy's class scores, (k, n, classes), for n inputs of its own, (k, n, ...)."""
        ...

    def sgd_step(
        self,
        parameters: Sequence[Tensor],
        inputs: Tensor,
        labels: Tensor,
        weights: Tensor,
        learning_rate: float,
    ) -> Tensor:
        """Take a step on each copy's weighted sum of cross-entropies, in place.

        ``labels`` and ``weights``, of the inputs in that sum, have shape (k, n). Returns the losses (k,)
        before the step.
        """
        ...


def steps_itself(model: nn.Module, inertia: Inertia) -> StepsItself | None:
    """Return a model that computes its steps itself, plain ones; None where it does not."""
    return model if isinstance(model, StepsItself) and inertia == Inertia() else None


class StepByStep:
    """Trains a model in place, an epoch at a time, and takes each step as it comes.

    Parameters
    ----------
    model : Module
    batch_size : int
    learning_rate : float
    pull : Pull, optional
        Its gradient is added to that of the loss.
    inertia : Inertia
        By default plain SGD.

    Attributes
    ----------
    last_loss : Tensor of shape ()
        Of the batch of the last step, before that step.
    """

    def __init__(
        self,
        model: nn.Module,
        batch_size: int,
        learning_rate: float,
        pull: Pull | None = None,
        inertia: Inertia = Inertia(),
    ) -> None:
        self._model = model
        self._pull = pull
        self._inertia = inertia
        self._steps_itself = steps_itself(model, inertia)
        self._batch_size = batch_size
        self._learning_rate = learning_rate
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._velocities = [torch.zeros_like(p) for p in self._parameters] if inertia.momentum else []
        self.last_loss = torch.empty(())

    def run(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Take the steps of an epoch's samples, in their order; return the first batch's loss."""
        first = None
        batches = zip(inputs.split(self._batch_size), labels.split(self._batch_size), strict=True)
        for batch, targets in batches:
            self.last_loss = self._step(batch, targets)
            first = self.last_loss if first is None else first
        return self.last_loss if first is None else first

    def _step(self, batch: Tensor, targets: Tensor) -> Tensor:
        if self._steps_itself is not None:
            return self._own_step(self._steps_itself, batch, targets)
        loss = functional.cross_entropy(self._model(batch), targets)
        gradients: Sequence[Tensor] = torch.autograd.grad(loss, self._parameters, materialize_grads=True)
        # The same numbers as torch.optim.SGD's, the import of which takes a process 1.3 s and 80 MB.
        with torch.no_grad():
            if self._inertia != Inertia():
                gradients = self._with_inertia(gradients)
            elif self._pull is not None:
                part = self._learning_rate * self._pull.strength
                for parameter, other in zip(self._parameters, self._pull.towards, strict=True):
                    parameter.lerp_(other, part)
            for parameter, gradient in zip(self._parameters, gradients, strict=True):
                parameter.add_(gradient, alpha=-self._learning_rate)
        return loss.detach()

    def _with_inertia(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return what the parameters move along, given the loss's gradients."""
        if self._pull is not None:
            apart = zip(gradients, self._parameters, self._pull.towards, strict=True)
            gradients = [g.add(own - other, alpha=self._pull.strength) for g, own, other in apart]
        velocities: Sequence[Tensor | None] = self._velocities or [None] * len(gradients)
        together = zip(gradients, self._parameters, velocities, strict=True)
        return [self._inertia.direction(*one) for one in together]

    @torch.no_grad()
    def _own_step(self, model: StepsItself, batch: Tensor, targets: Tensor) -> Tensor:
        one = [parameter.detach()[None] for parameter in self._parameters]
        pulled = []
        if self._pull is not None:
            part, towards = self._learning_rate * self._pull.strength, self._pull.towards
            pulled = [part * (other - own) for own, other in zip(self._parameters, towards, strict=True)]
        mean = torch.full((1, len(targets)), 1 / len(targets), device=batch.device)
        losses = model.sgd_step(
            one, model.prepared(batch)[None], targets[None], mean, self._learning_rate
        )
        for parameter, step in zip(self._parameters, pulled, strict=bool(pulled)):
            parameter.add_(step)
        return losses[0]


class Replayed(StepByStep):
    """Takes the steps on whole batches by one CUDA graph, for the models of one client after another.

    What a graph computes with stays in one place: a model and an epoch's samples of its own, which those
    of the client that trains are copied to.

    Parameters
    ----------
    model, batch_size, learning_rate, pull, inertia
        Those of `StepByStep`; it is the models' form that matters, not their numbers.
    inputs, labels : Tensor
        Of a client that has as many samples as any that will train.
    """

    def __init__(
        self,
        model: nn.Module,
        batch_size: int,
        learning_rate: float,
        inputs: Tensor,
        labels: Tensor,
        pull: Pull | None = None,
        inertia: Inertia = Inertia(),
    ) -> None:
        if pull is not None:
            pull = Pull(pull.strength, [each.clone() for each in pull.towards])
        super().__init__(copy.deepcopy(model), batch_size, learning_rate, pull, inertia)
        self._inputs, self._labels = torch.empty_like(inputs), torch.empty_like(labels)
        self._positions = torch.arange(batch_size, device=inputs.device)
        self.last_loss = torch.zeros((), device=inputs.device)
        self._next_step = replayed(self._step_from_place, inputs.device)

    def has_room_for(self, inputs: Tensor) -> bool:
        """Return whether a client has no more samples than the first one."""
        return len(inputs) <= len(self._inputs)

    def load(self, model: nn.Module, pull: Pull | None = None) -> None:
        """Go on from another model's numbers, drawn towards those of a pull of the same strength."""
        _copy_state(model, self._model)
        for velocity in self._velocities:
            velocity.zero_()
        if self._pull is not None and pull is not None:
            for ours, theirs in zip(self._pull.towards, pull.towards, strict=True):
                ours.copy_(theirs)

    def unload(self, model: nn.Module) -> None:
        """Write the trained numbers into another model."""
        _copy_state(self._model, model)

    def run(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Take the steps of an epoch's samples, in their order; return the first batch's loss."""
        self._inputs[: len(labels)].copy_(inputs)
        self._labels[: len(labels)].copy_(labels)
        torch.arange(self._batch_size, out=self._positions)
        first = None
        whole = len(labels) // self._batch_size
        for _ in range(whole):
            self._next_step()
            first = self.last_loss.clone() if first is None else first
        if whole * self._batch_size < len(labels):
            rest = slice(whole * self._batch_size, None)
            self.last_loss.copy_(self._step(inputs[rest], labels[rest]))
        return self.last_loss.clone() if first is None else first

    def _step_from_place(self) -> None:
        batch = self._inputs.index_select(0, self._positions)
        targets = self._labels.index_select(0, self._positions)
        self.last_loss.copy_(self._step(batch, targets))
        self._positions.add_(self._batch_size)


@torch.no_grad()
def _copy_state(source: nn.Module, target: nn.Module) -> None:
    for ours, theirs in zip(target.state_dict().values(), source.state_dict().values(), strict=True):
        ours.copy_(theirs)


class ReplayCache:
    """The steps that were captured last, so that they are captured once and not for each client.

    Those with a pull are kept apart from those without: with personal models, both take turns.
    """

    def __init__(self) -> None:
        self._kept: dict[bool, tuple[object, Replayed]] = {}

    def going_on_from(
        self,
        model: nn.Module,
        batch_size: int,
        learning_rate: float,
        inputs: Tensor,
        labels: Tensor,
        pull: Pull | None = None,
        inertia: Inertia = Inertia(),
    ) -> Replayed:
        """Return steps that go on from a model's numbers, those that are kept if they fit.

        The parameters are those of `Replayed`. Models are alike if their class and their printed form
        are.
        """
        samples = inputs.shape[1:], inputs.dtype, labels.dtype, inputs.device
        strength = None if pull is None else pull.strength
        key = type(model), repr(model), batch_size, learning_rate, inertia, samples, strength
        kept = self._kept.get(pull is not None)
        if kept is None or kept[0] != key or not kept[1].has_room_for(inputs):
            kept = key, Replayed(model, batch_size, learning_rate, inputs, labels, pull, inertia)
            self._kept[pull is not None] = kept
        kept[1].load(model, pull)
        return kept[1]


def replayed(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Return what does the same as a step when it is called again and again; on a GPU, by a CUDA graph.

    Parameters
    ----------
    step : callable
        Computes with tensors that stay where they are. What differs between its calls, such as the
        batch's number, it reads from a tensor on the device and changes itself.
    device : device
    """
    return _ReplayedStep(step) if device.type == "cuda" else step


class _ReplayedStep:
    def __init__(self, step: Callable[[], None]) -> None:
        self._step = step
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        self._calls += 1
        if self._calls <= EAGER_STEPS:
            self._run_beside()
            return
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with _nothing_collected(), torch.cuda.graph(graph):
                self._step()  # is recorded, not computed
            self._graph = graph
        self._graph.replay()

    def _run_beside(self) -> None:
        """Run the step on a stream of its own, as what is to be captured must be at first."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._step()
        torch.cuda.current_stream().wait_stream(stream)


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Within the block the garbage collector rests; what it would free is freed before.

    A graph that is freed while another is captured ends that capture with an error. A graph whose step
    refers to its owner is freed by the collector alone, at a time that nobody chooses.
    """
    gc.collect()
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
