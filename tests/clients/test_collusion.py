"""What malicious clients know of each other does not depend on who runs where, when, or first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attacks import ATTACKS, make_attack
from clients.collusion import Collusion
from clients.honest import HonestClient, NDArrays
from clients.local_training import LocalTraining
from clients.malicious import MaliciousClient
from clients.model_arrays import arrays_of
from clients.training_cache import TrainingCache

TRAINING = LocalTraining(epochs=1, batch_size=5, learning_rate=0.1)
NUM_CLIENTS, MALICIOUS, SEED = 6, [1, 4], 7


def make_model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10), nn.BatchNorm1d(10))


def samples_of(client: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(client)
    return torch.rand(20, 1, 28, 28, generator=random), torch.arange(20) % 10


def honest_client(client: int, cache: TrainingCache | None = None) -> HonestClient:
    return HonestClient(
        make_model,
        *samples_of(client),
        TRAINING,
        partition_id=client,
        seed=SEED,
        cache=cache or TrainingCache(),
    )


def malicious(
    client: int, attack: str, known: list[int], cache: TrainingCache | None = None
) -> MaliciousClient:
    attacker, cache = MALICIOUS.index(client), cache or TrainingCache()
    return MaliciousClient(
        make_model,
        *samples_of(client),
        TRAINING,
        partition_id=client,
        seed=SEED,
        cache=cache,
        attack=make_attack(attack, {"attacker": attacker}),
        collusion=Collusion(
            attacker, 2, NUM_CLIENTS, lambda: [honest_client(one, cache) for one in known]
        ),
    )


def fit(client: HonestClient, server_round: int = 1) -> tuple[NDArrays, dict[str, object]]:
    arrays, _, metrics = client.fit(arrays_of(make_model()), {"server_round": server_round})
    return arrays, dict(metrics)


@pytest.mark.mostly_slow(6)
@pytest.mark.parametrize("attack", list(ATTACKS))
def test_what_is_sent_does_not_depend_on_who_ran_before(attack: str) -> None:
    alone = fit(malicious(4, attack, MALICIOUS))
    shared = TrainingCache()
    fit(malicious(1, attack, MALICIOUS, shared))
    fit(honest_client(0, shared))
    after_others = fit(malicious(4, attack, MALICIOUS, shared))
    for once, again in zip(alone[0], after_others[0], strict=True):
        np.testing.assert_array_equal(once, again)
    assert str(alone[1]) == str(after_others[1])


def test_attackers_know_what_their_fellows_would_honestly_send() -> None:
    sent = fit(malicious(1, "ipm(strength=1)", MALICIOUS))[0]
    received = arrays_of(make_model())
    trained = [fit(honest_client(client))[0] for client in MALICIOUS]
    for k, array in enumerate(sent[:2]):
        mean = np.mean([received[k] - arrays[k] for arrays in trained], axis=0)
        np.testing.assert_allclose(array - received[k], mean, atol=1e-6)


def test_omniscient_attackers_know_the_honest_clients() -> None:
    known = [client for client in range(NUM_CLIENTS) if client not in MALICIOUS]
    one, other = (fit(malicious(client, "mimic(victim=2)", known))[0] for client in MALICIOUS)
    victim = fit(honest_client(known[2]))[0]
    for a, b, honest in zip(one, other, victim, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, honest, atol=1e-6)


def test_an_honest_training_is_computed_once_for_each_model_and_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = TrainingCache()
    trained = []
    train_honestly = HonestClient.honest_training
    monkeypatch.setattr(
        HonestClient,
        "honest_training",
        lambda self, *a: trained.append(self.partition_id) or train_honestly(self, *a),  # type: ignore[func-returns-value]
    )
    for client in MALICIOUS:
        fit(malicious(client, "min-max", MALICIOUS, shared))
    assert trained == MALICIOUS
    fit(malicious(1, "min-max", MALICIOUS, shared), server_round=2)
    assert trained == MALICIOUS * 2
    another_model = [np.asarray(array + 1) for array in arrays_of(make_model())]
    malicious(1, "min-max", MALICIOUS, shared).fit(another_model, {"server_round": 2})
    assert trained == MALICIOUS * 3


def test_noise_differs_between_attackers_rounds_and_seeds_and_repeats() -> None:
    sent = [
        fit(malicious(client, "additive-noise", MALICIOUS), server_round)[0][0]
        for client, server_round in ((1, 1), (4, 1), (1, 2), (1, 1))
    ]
    assert not np.array_equal(sent[0], sent[1])
    assert not np.array_equal(sent[0], sent[2])
    np.testing.assert_array_equal(sent[0], sent[3])
    one, other = honest_client(1), honest_client(1)
    other.seed += 1
    first, second = (Collusion().knowledge(own, [], 1).random.random() for own in (one, other))
    assert first != second


def test_batch_norm_s_counters_are_sent_as_honest_training_leaves_them() -> None:
    honest, sent = fit(honest_client(1))[0], fit(malicious(1, "sign-flip", MALICIOUS))[0]
    assert honest[-1].dtype == sent[-1].dtype == np.int64
    assert honest[-1] == sent[-1] == 4
