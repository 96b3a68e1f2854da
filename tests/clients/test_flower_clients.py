"""The Flower clients: their metrics, and that an attack touches the malicious client alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attacks import Attack, BarTrigger, DistributedBackdoor, Knowledge, TrainingReport
from clients.honest import HonestClient, batch_order
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


def test_an_attacker_trains_on_its_poisoned_data(samples: tuple[Tensor, Tensor]) -> None:
    """Where all of it is poisoned, as an honest client would that has such data."""
    received = arrays_of(make_model())
    attack = DistributedBackdoor(attacker=0, poison_fraction=1.0, scale=1.0)
    sent, _, metrics = malicious(samples, attack).fit(received, {"server_round": 1})
    expected, _, of_poisoned = honest_client(attack.poison_batch(*samples)).fit(
        received, {"server_round": 1}
    )
    for array, other in zip(sent, expected, strict=True):
        np.testing.assert_allclose(array, other, atol=1e-5)
    on_own, _, _ = honest_client(samples).fit(received, {"server_round": 1})
    assert not np.allclose(sent[0], on_own[0], atol=1e-3)
    assert metrics["loss_gap"] == pytest.approx(of_poisoned["loss_gap"])


class ClaimsManyExamples(Attack):
    """Says that it trained on more samples than it has."""

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        return replace(report, num_examples=1000)


def test_the_number_of_examples_is_part_of_the_report(samples: tuple[Tensor, Tensor]) -> None:
    received = arrays_of(make_model())
    _, num_examples, metrics = malicious(samples, ClaimsManyExamples()).fit(
        received, {"server_round": 1}
    )
    assert num_examples == metrics["num_examples"] == 1000


def test_batches_are_each_clients_rounds_and_seeds_own() -> None:
    drawn = {
        int(torch.randint(2**60, (1,), generator=batch_order(*words)))
        for words in ((7, 1, 3), (8, 1, 3), (7, 2, 3), (7, 1, 4), (7, 3, 1))
    }
    assert len(drawn) == 5


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
