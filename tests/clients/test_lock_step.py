"""Clients in lock-step: each ends as if it had trained alone, whoever trains beside it."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from attacks import TrainingReport
from clients.cohort import train_cohort
from clients.gap_measures import GAP_MEASURES
from clients.honest import HonestClient
from clients.local_training import LocalTraining, train_and_measure
from clients.lock_step import ClientSamples, train_in_lock_step
from clients.model_arrays import arrays_of
from clients.training_cache import TrainingCache
from pawbrofl_app.tasks.convolutional_networks import ConvolutionalNetwork
from pawbrofl_app.tasks.perceptron import Perceptron

TRAINING = LocalTraining(epochs=2, batch_size=4, learning_rate=0.1)
SIZES = (9, 4, 1, 12, 6)
IN_LOCK_STEP = [name for name, measure in GAP_MEASURES.items() if measure.in_lock_step]
Samples = tuple[Tensor, Tensor]


class Small(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def new_model(make: type[nn.Module] = Small) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return make()


def samples_of(client: int, size: int, *shape: int, classes: int = 3) -> Samples:
    random = torch.Generator().manual_seed(client)
    return torch.rand(size, *shape, generator=random), torch.randint(classes, (size,), generator=random)


def order(client: int) -> torch.Generator:
    return torch.Generator().manual_seed(100 + client)


def alone(model: nn.Module, client: int, samples: Samples, training: LocalTraining) -> TrainingReport:
    return train_and_measure(model, *samples, training, order(client))


def check_as_alone(
    model: nn.Module, cohort: dict[int, Samples], training: LocalTraining, tolerance: float = 1e-5
) -> None:
    before = copy.deepcopy(model.state_dict())
    members = [ClientSamples(*samples, order(client)) for client, samples in cohort.items()]
    models, reports = train_in_lock_step(model, members, training)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    for i, (client, samples) in enumerate(cohort.items()):
        expected = copy.deepcopy(model)
        report = alone(expected, client, samples, training)
        for name, value in expected.state_dict().items():
            torch.testing.assert_close(models[name][i], value, rtol=0, atol=tolerance)
        assert reports[i].num_examples == report.num_examples
        assert reports[i].loss_before == pytest.approx(report.loss_before, abs=tolerance)
        assert reports[i].loss_after == pytest.approx(report.loss_after, abs=tolerance)
        assert reports[i].loss_gap == pytest.approx(report.loss_gap, abs=2 * tolerance)
        if training.gap_measure == "training":
            assert reports[i].loss_gap == reports[i].loss_before - reports[i].loss_after


@given(st.lists(st.integers(1, 13), min_size=1, max_size=6), st.integers(1, 7), st.integers(1, 3))
@settings(max_examples=10, deadline=None)
@pytest.mark.slow
def test_clients_of_any_sizes_end_as_alone(sizes: list[int], batch_size: int, epochs: int) -> None:
    training = LocalTraining(epochs, batch_size, learning_rate=0.1)
    inert = replace(training, momentum=0.9, weight_decay=0.1)
    cohort = {client: samples_of(client, size, 6) for client, size in enumerate(sizes)}
    check_as_alone(new_model(), cohort, training)
    check_as_alone(new_model(), cohort, inert)


@pytest.mark.parametrize("gap_samples", [0, 5])
@pytest.mark.parametrize("measure", IN_LOCK_STEP)
def test_every_gap_measure_that_it_knows_is_as_alone(measure: str, gap_samples: int) -> None:
    training = LocalTraining(2, 4, 0.1, measure, gap_samples=gap_samples)
    check_as_alone(new_model(), {c: samples_of(c, size, 6) for c, size in enumerate(SIZES)}, training)


@pytest.mark.parametrize("network", [ConvolutionalNetwork, Perceptron])
def test_the_networks_of_the_app_train_as_alone(network: type[nn.Module]) -> None:
    cohort = {c: samples_of(c, size, 1, 28, 28, classes=10) for c, size in enumerate((10, 7, 3))}
    check_as_alone(new_model(network), cohort, TRAINING, tolerance=1e-4)


def test_the_same_cohort_gives_the_same_numbers_and_order_does_not_matter() -> None:
    def trained(clients: list[int]) -> dict[int, dict[str, Tensor]]:
        members = [ClientSamples(*samples_of(c, SIZES[c], 6), order(c)) for c in clients]
        models, _ = train_in_lock_step(new_model(), members, TRAINING)
        return {c: {name: value[i] for name, value in models.items()} for i, c in enumerate(clients)}

    first, again, reversed_ = trained([0, 1, 2, 3]), trained([0, 1, 2, 3]), trained([3, 2, 1, 0])
    for client, model in first.items():
        for name, value in model.items():
            assert torch.equal(value, again[client][name])
            torch.testing.assert_close(value, reversed_[client][name], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "training", "message"),
    [
        (nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)), TRAINING, "model must have no buffers"),
        (Small(), LocalTraining(1, 4, 0.1, "gradient-norm"), "got Small and 'gradient-norm'"),
    ],
)
def test_what_cannot_be_done_is_named(model: nn.Module, training: LocalTraining, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_in_lock_step(model, [ClientSamples(*samples_of(0, 4, 6), order(0))], training)


def test_a_client_without_samples_is_refused() -> None:
    members = [ClientSamples(*samples_of(0, size, 6), order(0)) for size in (4, 0)]
    with pytest.raises(ValueError, match=r"at least one sample, got \[4, 0\]"):
        train_in_lock_step(new_model(), members, TRAINING)


def test_clients_find_their_training_done_and_send_it() -> None:
    cache = TrainingCache()
    clients = [
        HonestClient(Small, *samples_of(c, SIZES[c], 6), TRAINING, partition_id=c, seed=3, cache=cache)
        for c in range(3)
    ]
    parameters = arrays_of(new_model())
    plain = [client.fit(parameters, {"server_round": 2}) for client in clients]
    trained = train_cohort(clients[:2], parameters, 2)
    with cache.trained_ahead(trained):
        ahead = [client.fit(parameters, {"server_round": 2}) for client in clients]
    for client, one in zip(clients, plain, strict=True):
        again = client.fit(parameters, {"server_round": 2})
        assert all(map(np.array_equal, one[0], again[0])), "only within the block"
    for client, (one, other) in enumerate(zip(plain, ahead, strict=True)):
        assert (ahead[client][0] is trained[client][0]) if client < 2 else client not in trained
        for a, b in zip(one[0], other[0], strict=True):
            assert a.dtype == b.dtype
            assert abs(a - b).max() < 1e-5
        assert one[1] == other[1]
        assert one[2].keys() == other[2].keys()
        assert other[2]["loss_gap"] == pytest.approx(one[2]["loss_gap"], abs=1e-5)


@pytest.mark.parametrize("measure", IN_LOCK_STEP)
def test_changed_batches_train_in_lock_step_as_alone(measure: str) -> None:
    def first_flipped(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        changed = labels.clone()
        changed[:1] = 2 - changed[:1]  # depends on the sample's place in the batch
        return inputs * 2, changed

    training = LocalTraining(epochs=2, batch_size=4, learning_rate=0.1, gap_measure=measure)
    transforms = {1: first_flipped, 3: first_flipped}
    members = [
        ClientSamples(*samples_of(c, size, 6), order(c), transforms.get(c))
        for c, size in enumerate(SIZES)
    ]
    models, reports = train_in_lock_step(new_model(), members, training)
    for client, size in enumerate(SIZES):
        model = new_model()
        samples = samples_of(client, size, 6)
        report = train_and_measure(model, *samples, training, order(client), transforms.get(client))
        assert reports[client].loss_gap == pytest.approx(report.loss_gap, abs=1e-5)
        assert reports[client].loss_before == pytest.approx(report.loss_before, abs=1e-5)
        for name, value in model.state_dict().items():
            torch.testing.assert_close(models[name][client], value, rtol=0, atol=1e-5)


def test_poisoned_training_done_ahead_is_not_taken_for_the_honest_one() -> None:
    cache, trained = TrainingCache(), ([np.zeros(1)], TrainingReport(1.0, 0.5, 3, 0.5))
    with cache.trained_ahead({1: trained, 2: trained}, poisoned={2}):
        assert cache.done_ahead(1) is trained
        assert cache.done_ahead(1, poisoned=True) is None
        assert cache.done_ahead(2) is None
        assert cache.done_ahead(2, poisoned=True) is trained
    assert cache.done_ahead(2, poisoned=True) is None
