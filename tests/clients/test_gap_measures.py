"""The measures of how badly a client is served: on training data, on held-out data, by the gradient."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from clients.gap_measures import GAP_MEASURES, GapMeasure, Loss, ObservedTraining
from clients.local_evaluation import gradient_norm, mean_loss
from clients.local_training import LocalTraining, train, train_and_measure
from clients.lock_step import ClientSamples, train_in_lock_step

TRAINING = LocalTraining(epochs=2, batch_size=4, learning_rate=0.1)


@pytest.fixture
def samples() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(30, 6, generator=random), torch.randint(3, (30,), generator=random)


def new_model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Linear(6, 3)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def test_validation_trains_on_the_first_samples_and_measures_on_the_last(
    samples: tuple[Tensor, Tensor],
) -> None:
    inputs, labels = samples
    model, expected = new_model(), new_model()
    report = train_and_measure(
        model, inputs, labels, replace(TRAINING, gap_measure="validation"), generator()
    )
    before = mean_loss(expected, inputs[24:], labels[24:])
    train(expected, inputs[:24], labels[:24], TRAINING, generator())
    after = mean_loss(expected, inputs[24:], labels[24:])
    assert torch.equal(model.weight, expected.weight)  # type: ignore[arg-type]
    assert (report.loss_before, report.loss_after) == (before, after)
    assert report.loss_gap == before - after
    assert report.num_examples == 24


@pytest.mark.parametrize(("samples_held", "fitted"), [(1, 1), (2, 1), (3, 2), (10, 8), (100, 80)])
def test_at_least_one_sample_is_trained_on(samples_held: int, fitted: int) -> None:
    assert replace(TRAINING, gap_measure="validation").num_fitted(samples_held) == fitted
    assert TRAINING.num_fitted(samples_held) == samples_held


def test_the_gradient_s_norm_is_that_of_the_mean_loss_under_the_received_model(
    samples: tuple[Tensor, Tensor],
) -> None:
    model = new_model()
    functional.cross_entropy(model(samples[0]), samples[1]).backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()
    report = train_and_measure(
        new_model(), *samples, replace(TRAINING, gap_measure="gradient-norm"), generator()
    )
    assert report.loss_gap == pytest.approx(float(expected), rel=1e-5)
    assert report.loss_gap != report.loss_before - report.loss_after


def test_the_gradient_s_norm_sums_over_batches_of_evaluation() -> None:
    random = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(450, 6, generator=random), torch.randint(3, (450,), generator=random)
    model = new_model()
    functional.cross_entropy(model(inputs), labels).backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()
    assert gradient_norm(new_model(), inputs, labels) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("measure", GAP_MEASURES)
def test_the_measure_does_not_change_the_training_of_the_same_samples(
    measure: str, samples: tuple[Tensor, Tensor]
) -> None:
    training = replace(TRAINING, gap_measure=measure)
    fitted = training.num_fitted(30)
    model, expected = new_model(), new_model()
    train_and_measure(model, *samples, training, generator())
    train(expected, samples[0][:fitted], samples[1][:fitted], TRAINING, generator())
    assert torch.equal(model.weight, expected.weight)  # type: ignore[arg-type]


class LossBefore(GapMeasure):
    """A measure as somebody might add it."""

    def measure(self, training: ObservedTraining[Loss]) -> tuple[Loss, Loss, Loss]:
        before = training.mean_loss()
        training.take_steps()
        return before, training.mean_loss(), before


def test_a_new_measure_needs_its_line_in_the_registry_alone(
    samples: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GAP_MEASURES, "loss-before", LossBefore())  # type: ignore[arg-type]
    training = replace(TRAINING, gap_measure="loss-before")
    report = train_and_measure(new_model(), *samples, training, generator())
    assert report.loss_gap == report.loss_before == mean_loss(new_model(), *samples)
    _, reports = train_in_lock_step(new_model(), [ClientSamples(*samples, generator())], training)
    assert reports[0].loss_gap == reports[0].loss_before == pytest.approx(report.loss_gap)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gap_measure", "loss"),
        ("validation_share", 0.0),
        ("validation_share", 1.0),
        ("gap_samples", -1),
    ],
)
def test_invalid_arguments_are_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        replace(TRAINING, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("measure", ["training", "validation", "gradient-norm"])
def test_a_gap_on_a_few_samples_is_that_of_those_samples(
    measure: str, samples: tuple[Tensor, Tensor]
) -> None:
    inputs, labels = samples
    training = replace(TRAINING, gap_measure=measure, gap_samples=5)
    few = [24, 25, 26, 27, 28] if measure == "validation" else [0, 6, 12, 18, 24]
    assert training.measured_on(30).tolist() == few
    model, trained = new_model(), new_model()
    report = train_and_measure(model, inputs, labels, training, generator())
    fitted = training.num_fitted(30)
    train(trained, inputs[:fitted], labels[:fitted], TRAINING, generator())
    assert torch.equal(model.weight, trained.weight)  # type: ignore[arg-type]
    assert report.loss_before == mean_loss(new_model(), inputs[few], labels[few])
    assert report.loss_after == mean_loss(trained, inputs[few], labels[few])
    if measure == "gradient-norm":
        assert report.loss_gap == gradient_norm(new_model(), inputs[few], labels[few])


@given(st.integers(1, 50), st.integers(0, 60), st.sampled_from(["training", "validation"]))
def test_samples_measured_are_spread_over_those_that_there_are(
    held: int, gap_samples: int, measure: str
) -> None:
    training = replace(TRAINING, gap_measure=measure, gap_samples=gap_samples)
    fitted = training.num_fitted(held)
    available = list(range(fitted if fitted < held else 0, held))
    measured = training.measured_on(held).tolist()
    assert len(measured) == min(len(available), gap_samples or len(available))
    assert set(measured) <= set(available)
    distances = [later - earlier for earlier, later in pairwise(measured)]
    assert all(distance >= 1 for distance in distances)
    assert not distances or max(distances) - min(distances) <= 1


def test_batches_compares_the_first_batch_with_the_last_one(samples: tuple[Tensor, Tensor]) -> None:
    inputs, labels = samples
    training = replace(TRAINING, epochs=1, batch_size=16, gap_measure="batches")
    order = torch.randperm(30, generator=generator())
    first, last = order[:16], order[16:]
    model = new_model()
    report = train_and_measure(model, inputs, labels, training, generator())
    received, after_first = new_model(), new_model()
    optimizer = torch.optim.SGD(after_first.parameters(), lr=training.learning_rate)
    functional.cross_entropy(after_first(inputs[first]), labels[first]).backward()
    optimizer.step()
    expected = functional.cross_entropy(received(inputs[first]), labels[first])
    assert report.loss_before == pytest.approx(expected.item(), rel=1e-6)
    expected = functional.cross_entropy(after_first(inputs[last]), labels[last])
    assert report.loss_after == pytest.approx(expected.item(), rel=1e-6)
    assert report.loss_gap == report.loss_before - report.loss_after
    assert report.num_examples == 30
