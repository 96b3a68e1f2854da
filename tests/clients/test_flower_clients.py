"""The Flower clients: their metrics, and that an attack touches the malicious client alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attacks import Attack, BarTrigger, DistributedBackdoor
from clients.honest import HonestClient
from clients.local_training import LocalTraining
from clients.malicious import MaliciousClient
from clients.model_arrays import arrays_of, load_arrays

TRAINING = LocalTraining(epochs=1, batch_size=5, learning_rate=0.1)


def make_model() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))


@pytest.fixture
def samples() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.rand(20, 1, 28, 28, generator=random), torch.arange(20) % 10


def honest_client(samples: tuple[Tensor, Tensor]) -> HonestClient:
    return HonestClient(make_model, *samples, TRAINING, partition_id=3, seed=7)


def malicious(samples: tuple[Tensor, Tensor], attack: Attack) -> MaliciousClient:
    return MaliciousClient(make_model, *samples, TRAINING, partition_id=3, seed=7, attack=attack)


def test_metrics_hold_the_gap_and_what_it_is_made_of(samples: tuple[Tensor, Tensor]) -> None:
    received = arrays_of(make_model())
    _, num_examples, metrics = honest_client(samples).fit(received, {"server_round": 1})
    assert num_examples == metrics["num_examples"] == 20
    assert metrics["partition_id"] == 3
    assert metrics["loss_gap"] == metrics["loss_before"] - metrics["loss_after"]  # type: ignore[operator]


def test_the_received_model_is_evaluated_on_what_the_client_trains_on(
    samples: tuple[Tensor, Tensor],
) -> None:
    received = arrays_of(make_model())
    loss, num_examples, metrics = honest_client(samples).evaluate(received, {})
    assert loss == honest_client(samples).fit(received, {"server_round": 1})[2]["loss_before"]
    model = make_model()
    load_arrays(model, received)
    right = int((model(samples[0]).argmax(dim=1) == samples[1]).sum())
    assert (num_examples, metrics) == (20, {"accuracy": right / 20, "partition_id": 3})

    held_out = replace(TRAINING, gap_measure="validation", validation_share=0.25)
    client = HonestClient(make_model, *samples, held_out, partition_id=3, seed=7)
    fitted = HonestClient(make_model, samples[0][:15], samples[1][:15], TRAINING, partition_id=3, seed=7)
    assert client.evaluate(received, {}) == fitted.evaluate(received, {})


def test_an_attack_that_changes_nothing_is_an_honest_client(samples: tuple[Tensor, Tensor]) -> None:
    received = arrays_of(make_model())
    honest, _, honest_metrics = honest_client(samples).fit(received, {"server_round": 1})
    idle, _, idle_metrics = malicious(samples, Attack()).fit(received, {"server_round": 1})
    for a, b in zip(honest, idle, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)
    assert honest_metrics == idle_metrics


def test_outside_attack_rounds_a_malicious_client_is_honest(samples: tuple[Tensor, Tensor]) -> None:
    received = arrays_of(make_model())
    attack = DistributedBackdoor(attacker=0, first_round=2, last_round=3)
    for server_round, same in ((1, True), (2, False), (3, False), (4, True)):
        sent = malicious(samples, attack).fit(received, {"server_round": server_round})[0]
        honest = honest_client(samples).fit(received, {"server_round": server_round})[0]
        assert all(np.array_equal(a, b) for a, b in zip(sent, honest, strict=True)) is same


def test_the_update_is_scaled(samples: tuple[Tensor, Tensor]) -> None:
    received = arrays_of(make_model())
    once, five = (
        malicious(samples, DistributedBackdoor(attacker=1, scale=scale)).fit(
            received, {"server_round": 1}
        )[0]
        for scale in (1.0, 5.0)
    )
    for before, a, b in zip(received, once, five, strict=True):
        np.testing.assert_allclose(b - before, 5 * (a - before), atol=1e-5)


def test_a_round_of_its_own_has_batches_of_its_own(samples: tuple[Tensor, Tensor]) -> None:
    received = arrays_of(make_model())
    first, again, second = (
        honest_client(samples).fit(received, {"server_round": number})[0] for number in (1, 1, 2)
    )
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], second[0])


def test_a_trigger_may_lie_elsewhere(samples: tuple[Tensor, Tensor]) -> None:
    attack = DistributedBackdoor(attacker=2, trigger=BarTrigger(shift=10), target=9, poison_fraction=0.4)
    images, labels = attack.poison_batch(*samples)
    changed = (images != samples[0]).flatten(1).any(dim=1)
    assert changed.tolist() == [True] * 8 + [False] * 12
    assert labels[:8].tolist() == [9] * 8
    assert torch.equal(labels[8:], samples[1][8:])
