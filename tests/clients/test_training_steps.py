"""Steps from one place, as a CUDA graph replays them, are those that are taken one by one."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from clients import local_training, training_steps
from clients.local_training import LocalTraining, train
from clients.training_steps import (
    EAGER_STEPS,
    Inertia,
    Pull,
    ReplayCache,
    Replayed,
    StepByStep,
    replayed,
)
from tests.conftest import PROJECT


def new_model(seed: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def samples(size: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(size, 6, generator=random), torch.randint(3, (size,), generator=random)


@pytest.mark.parametrize("size", [12, 13, 3, 1], ids=["whole batches", "a rest", "one part", "one"])
def test_steps_from_one_place_are_the_same_steps(size: int) -> None:
    inputs, labels = samples(size)
    one, other = new_model(), new_model()
    step_by_step = StepByStep(one, 4, 0.1)
    from_one_place = Replayed(other, 4, 0.1, inputs, labels)
    for epoch in range(3):
        order = torch.randperm(size, generator=torch.Generator().manual_seed(epoch))
        first = step_by_step.run(inputs[order], labels[order])
        assert torch.equal(first, from_one_place.run(inputs[order], labels[order]))
        assert torch.equal(step_by_step.last_loss, from_one_place.last_loss)
    from_one_place.unload(other)
    check_equal(one, other)


@pytest.mark.parametrize(("momentum", "weight_decay"), [(0.9, 0.0), (0.0, 0.01), (0.5, 0.1)])
@pytest.mark.parametrize("replays", [False, True])
def test_momentum_and_weight_decay_are_those_of_torch_bit_for_bit(
    momentum: float, weight_decay: float, replays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_training, "REPLAYED_ON", "cpu" if replays else "cuda")
    training = LocalTraining(3, 4, 0.1, momentum=momentum, weight_decay=weight_decay)
    inputs, labels = samples(10)
    cache = ReplayCache()
    for seed in (1, 2):  # the second client's velocities begin at rest, too
        ours, expected = new_model(seed), new_model(seed)
        train(ours, inputs, labels, training, torch.Generator().manual_seed(5), replays=cache)
        optimizer = torch.optim.SGD(
            expected.parameters(), 0.1, momentum=momentum, weight_decay=weight_decay, foreach=False
        )
        order = torch.Generator().manual_seed(5)
        for _ in range(3):
            for batch in torch.randperm(10, generator=order).split(4):
                optimizer.zero_grad()
                nn.functional.cross_entropy(expected(inputs[batch]), labels[batch]).backward()
                optimizer.step()
        check_equal(ours, expected)


@pytest.mark.parametrize("inertia", [Inertia(), Inertia(0.9, 0.05)])
def test_a_pull_is_part_of_the_gradient(inertia: Inertia) -> None:
    inputs, labels = samples(10)
    ours, expected, other = new_model(1), new_model(1), new_model(3)
    steps = StepByStep(ours, 4, 0.1, Pull(0.7, list(other.parameters())), inertia)
    optimizer = torch.optim.SGD(
        expected.parameters(), 0.1, momentum=inertia.momentum, weight_decay=inertia.weight_decay
    )
    for _ in range(3):
        steps.run(inputs, labels)
        for batch, targets in zip(inputs.split(4), labels.split(4), strict=True):
            optimizer.zero_grad()
            pairs = zip(expected.parameters(), other.parameters(), strict=True)
            apart = sum((own - theirs.detach()).square().sum() for own, theirs in pairs)
            (nn.functional.cross_entropy(expected(batch), targets) + 0.35 * apart).backward()
            optimizer.step()
    for one, two in zip(ours.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def check_equal(one: nn.Module, other: nn.Module) -> None:
    for ours, theirs in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_one_client_after_another_takes_the_same_place() -> None:
    cache, kept = ReplayCache(), []
    for seed, size in enumerate((13, 6, 13, 20)):
        inputs, labels = samples(size)
        one, other = new_model(seed), new_model(seed)
        StepByStep(one, 4, 0.1).run(inputs, labels)
        replay = cache.going_on_from(other, 4, 0.1, inputs, labels)
        replay.run(inputs, labels)
        replay.unload(other)
        check_equal(one, other)
        kept.append(replay)
    assert kept[0] is kept[1] is kept[2]
    assert kept[3] is not kept[0], "more samples than it has room for"
    assert cache.going_on_from(new_model(), 5, 0.1, inputs, labels) is not kept[3]


@pytest.mark.parametrize("replays", [False, True])
def test_training_is_the_same_by_either(replays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch that a GPU takes, on the CPU."""
    if replays:
        monkeypatch.setattr(local_training, "REPLAYED_ON", "cpu")
    training = LocalTraining(epochs=2, batch_size=4, learning_rate=0.1)
    inputs, labels = samples(10)
    model, expected = new_model(), new_model()
    losses = train(model, inputs, labels, training, torch.Generator().manual_seed(5))
    step_by_step, order = StepByStep(expected, 4, 0.1), torch.Generator().manual_seed(5)
    shuffled = [torch.randperm(10, generator=order) for _ in range(2)]
    firsts = [step_by_step.run(inputs[each], labels[each]) for each in shuffled]
    check_equal(model, expected)
    assert losses == (firsts[0].item(), step_by_step.last_loss.item())


def test_on_the_cpu_a_step_is_replayed_by_calling_it() -> None:
    calls: list[int] = []
    step = replayed(lambda: calls.append(1), torch.device("cpu"))
    step()
    step()
    assert calls == [1, 1]


def test_a_transform_is_given_each_batch_of_each_epoch() -> None:
    sizes: list[int] = []

    def to_class_zero(batch: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        sizes.append(len(targets))
        return batch, torch.zeros_like(targets)

    training = LocalTraining(epochs=2, batch_size=4, learning_rate=0.1)
    inputs, labels = samples(10)
    model, expected = new_model(), new_model()
    train(model, inputs, labels, training, torch.Generator().manual_seed(5), to_class_zero)
    train(expected, inputs, torch.zeros_like(labels), training, torch.Generator().manual_seed(5))
    assert sizes == [4, 4, 2] * 2
    for ours, theirs in zip(model.parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU")
@pytest.mark.parametrize("inertia", [Inertia(), Inertia(0.9, 0.01)])
def test_a_cuda_graph_takes_the_same_steps(inertia: Inertia) -> None:
    device = torch.device("cuda")
    inputs, labels = (tensor.to(device) for tensor in samples(4 * (EAGER_STEPS + 5) + 1))
    one, other = new_model().to(device), new_model().to(device)
    step_by_step = StepByStep(one, 4, 0.1, inertia=inertia)
    graph = Replayed(other, 4, 0.1, inputs, labels, inertia=inertia)
    assert isinstance(graph._next_step, training_steps._ReplayedStep)
    for _ in range(2):
        first = step_by_step.run(inputs, labels)
        torch.testing.assert_close(first, graph.run(inputs, labels))
        torch.testing.assert_close(step_by_step.last_loss, graph.last_loss)
    graph.unload(other)
    for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU")
def test_a_capture_survives_the_graphs_that_were_dropped_before() -> None:
    """A round of clients under Ray failed by this: each larger client replaces the captured steps."""
    device, cache = torch.device("cuda"), ReplayCache()
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for size in (40, 44, 48, 52):
            inputs, labels = (tensor.to(device) for tensor in samples(size))
            one, other = new_model().to(device), new_model().to(device)
            StepByStep(one, 4, 0.1).run(inputs, labels)
            replay = cache.going_on_from(other, 4, 0.1, inputs, labels)
            replay.run(inputs, labels)
            replay.unload(other)
            for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
                torch.testing.assert_close(ours, theirs)
    finally:
        gc.set_threshold(*threshold)


class CaptureOnTheCpu:
    """What `torch.cuda` offers for graphs, where there is no GPU; a capture can fail."""

    def __init__(self) -> None:
        self.collected_while_capturing: list[bool] = []
        self.fails = False
        self.captured = 0

    def replay(self) -> None:
        assert self.captured, "a graph was replayed that never was captured"

    @contextlib.contextmanager
    def capture(self, _: object) -> Iterator[None]:
        self.collected_while_capturing.append(gc.isenabled())
        yield
        if self.fails:
            raise RuntimeError("out of memory")
        self.captured += 1


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> CaptureOnTheCpu:
    capture = CaptureOnTheCpu()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: capture)
    monkeypatch.setattr(torch.cuda, "graph", capture.capture)
    monkeypatch.setattr(training_steps._ReplayedStep, "_run_beside", lambda step: step._step())
    monkeypatch.setattr(gc, "collect", lambda: 0)  # of what all tests before hold, it takes a second
    return capture


def test_the_collector_rests_while_a_step_is_captured(capture: CaptureOnTheCpu) -> None:
    step = replayed(lambda: None, torch.device("cuda"))
    for _ in range(EAGER_STEPS + 2):
        step()
    assert capture.collected_while_capturing == [False]
    assert gc.isenabled()


def test_a_capture_that_failed_is_tried_again(capture: CaptureOnTheCpu) -> None:
    step = replayed(lambda: None, torch.device("cuda"))
    for _ in range(EAGER_STEPS):
        step()
    capture.fails = True
    with pytest.raises(RuntimeError, match="out of memory"):
        step()
    assert gc.isenabled()
    capture.fails = False
    step()
    assert capture.captured == 1


@pytest.mark.slow
def test_training_imports_no_compiler() -> None:
    """`torch.optim` would import one in every process that trains: 1.3 s and 80 MB."""
    trains = (
        "import sys, torch\n"
        "from clients.local_training import LocalTraining, train_and_measure\n"
        "model, labels = torch.nn.Linear(2, 2), torch.tensor([0, 1])\n"
        "training = LocalTraining(epochs=1, batch_size=1, learning_rate=0.1)\n"
        "train_and_measure(model, torch.eye(2), labels, training, torch.Generator())\n"
        "print('torch._dynamo' in sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", trains], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert finished.stdout.strip() == "False"
