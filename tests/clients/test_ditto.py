"""Ditto: a personal model is what Algorithm 1 makes of it, and the client's update is none the wiser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from flwr.app import RecordDict
from flwr.common import ndarray_to_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from attacks.untargeted_updates import SignFlip
from clients import local_training
from clients.ditto import Ditto, personalization_named
from clients.honest import HonestClient, batch_order
from clients.local_training import LocalTraining
from clients.malicious import MaliciousClient
from clients.model_arrays import arrays_of, load_arrays
from clients.personal_model import PersonalModel
from clients.training_cache import NDArrays

TRAINING = LocalTraining(epochs=2, batch_size=5, learning_rate=0.1)
SAMPLES, PARTITION_ID, SEED = 13, 3, 7


def make_model() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def model_from(seed: int) -> NDArrays:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return arrays_of(make_model())


@pytest.fixture
def samples() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(SAMPLES, 6, generator=random), torch.arange(SAMPLES) % 3


def client(
    samples: tuple[Tensor, Tensor],
    strength: float | None = 0.5,
    state: RecordDict | None = None,
    training: LocalTraining = TRAINING,
) -> HonestClient:
    personal = None if strength is None else PersonalModel(Ditto(strength), state or RecordDict())
    return HonestClient(
        make_model, *samples, training, partition_id=PARTITION_ID, seed=SEED, personal=personal
    )


def rounds(trained: HonestClient, *received: NDArrays) -> NDArrays:
    """Train in rounds from 1 with these global models; return the personal model."""
    for server_round, parameters in enumerate(received, 1):
        trained.fit(parameters, {"server_round": server_round})
    assert trained.personal is not None
    return trained.personal.arrays


def algorithm_1(
    samples: tuple[Tensor, Tensor], strength: float, *received: NDArrays, fitted: int = SAMPLES
) -> list[Tensor]:
    """Return v_k after rounds in which client k receives these w_t, by the paper's own formula."""
    v = [torch.tensor(array, dtype=torch.float64) for array in received[0]]
    inputs, labels = samples[0][:fitted].double(), samples[1][:fitted]
    for server_round, parameters in enumerate(received, 1):
        w = [torch.tensor(array, dtype=torch.float64) for array in parameters]
        order = batch_order(SEED, server_round, PARTITION_ID)
        for _ in range(TRAINING.epochs):
            for batch in torch.randperm(fitted, generator=order).split(TRAINING.batch_size):
                leaves = [each.clone().requires_grad_() for each in v]
                hidden = torch.tanh(inputs[batch] @ leaves[0].T + leaves[1])
                scores = hidden @ leaves[2].T + leaves[3]
                gradients = torch.autograd.grad(functional.cross_entropy(scores, labels[batch]), leaves)
                v = [
                    one - TRAINING.learning_rate * (gradient + strength * (one - other))
                    for one, gradient, other in zip(v, gradients, w, strict=True)
                ]
    return v


def check_close(found: NDArrays, expected: list[Tensor]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


def check_equal(found: NDArrays, expected: NDArrays) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize("replays", [False, True], ids=["step by step", "replayed"])
@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0, 10.0])
def test_a_personal_model_takes_the_steps_of_algorithm_1(
    samples: tuple[Tensor, Tensor], strength: float, replays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if replays:  # the branch that a GPU takes, on the CPU
        monkeypatch.setattr(local_training, "REPLAYED_ON", "cpu")
    received = [model_from(seed) for seed in (1, 2, 3)]
    check_close(rounds(client(samples, strength), *received), algorithm_1(samples, strength, *received))


def test_it_is_not_trained_on_what_is_held_out(samples: tuple[Tensor, Tensor]) -> None:
    held_out = replace(TRAINING, gap_measure="validation", validation_share=0.25)
    found = rounds(client(samples, training=held_out), model_from(1))
    check_close(found, algorithm_1(samples, 0.5, model_from(1), fitted=10))


@settings(max_examples=10)
@given(st.floats(0, 10), st.integers(0, 100))
def test_the_sent_update_is_the_same_bit_for_bit(strength: float, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    drawn = torch.randn(SAMPLES, 6, generator=random), torch.arange(SAMPLES) % 3
    with_ditto, without = client(drawn, strength), client(drawn, None)
    for server_round in (1, 2):
        received = model_from(server_round)
        found = with_ditto.fit(received, {"server_round": server_round})
        expected = without.fit(received, {"server_round": server_round})
        check_equal(found[0], expected[0])
        assert found[1:] == expected[1:]


def test_the_larger_lambda_the_closer_to_the_global_model(samples: tuple[Tensor, Tensor]) -> None:
    received = model_from(1)
    distances = []
    for strength in (0.0, 0.5, 2.0, 10.0):
        personal = rounds(client(samples, strength), *[received] * 5)
        distances.append(
            sum(((a - b) ** 2).sum() for a, b in zip(personal, received, strict=True)) ** 0.5
        )
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < distances[0] / 5


def test_a_repeated_round_changes_nothing(samples: tuple[Tensor, Tensor]) -> None:
    state = RecordDict()
    once = rounds(client(samples, state=state), model_from(1))
    check_equal(rounds(client(samples, state=state), model_from(1)), once)
    assert not np.array_equal(
        rounds(client(samples, state=state), model_from(1), model_from(1))[0], once[0]
    )


def test_the_personal_model_is_evaluated_once_there_is_one(samples: tuple[Tensor, Tensor]) -> None:
    one = client(samples)
    assert one.personal is not None
    one.personal.own_test = lambda: (samples[0][:4], samples[1][:4])
    received = model_from(1)
    loss, _, metrics = one.evaluate(received, {})
    assert loss == client(samples, None).evaluate(received, {})[0]
    rounds(one, received)
    model = make_model()
    load_arrays(model, one.personal.arrays)
    right = (model(samples[0]).argmax(dim=1) == samples[1]).double()
    loss, num_examples, metrics = one.evaluate(model_from(2), {})
    assert loss == pytest.approx(functional.cross_entropy(model(samples[0]), samples[1]).item())
    assert (num_examples, metrics["accuracy"]) == (SAMPLES, pytest.approx(right.mean().item()))
    assert metrics["test_accuracy"] == pytest.approx(right[:4].mean().item())


def test_it_is_handed_out_and_taken_back(samples: tuple[Tensor, Tensor]) -> None:
    before = client(samples)
    assert before.get_parameters({}) == []
    expected = rounds(before, model_from(1))
    handed_out = before.get_parameters({})
    check_equal(handed_out, expected)
    after = client(samples)
    serialized = {str(k): ndarray_to_bytes(array) for k, array in enumerate(handed_out)}
    assert after.get_properties(dict(serialized)) == {"partition_id": PARTITION_ID}
    for one in (before, after):
        one.fit(model_from(2), {"server_round": 2})
    check_equal(after.get_parameters({}), before.get_parameters({}))


def test_whoever_attacks_trains_no_personal_model(samples: tuple[Tensor, Tensor]) -> None:
    state = RecordDict()
    attacker = MaliciousClient(**vars(client(samples, state=state)), attack=SignFlip(first_round=2))
    trained = rounds(attacker, model_from(1))
    check_equal(trained, rounds(client(samples), model_from(1)))
    attacker.fit(model_from(2), {"server_round": 2})
    assert attacker.personal is not None
    check_equal(attacker.personal.arrays, trained)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", None),
        ("ditto", Ditto()),
        ("ditto(lambda=2)", Ditto(2.0)),
        ("ditto( lambda = 1e-3 )", Ditto(1e-3)),
    ],
)
def test_it_goes_by_a_name(text: str, expected: Ditto | None) -> None:
    assert personalization_named(text) == expected
