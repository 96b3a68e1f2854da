"""Local training: what it computes, what decides its numbers, and the gap it reports."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from clients.local_evaluation import EVALUATION_BATCH, mean_loss
from clients.local_training import LocalTraining, train, train_and_measure

TRAINING = LocalTraining(epochs=2, batch_size=4, learning_rate=0.1)


@pytest.fixture
def samples() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(30, 6, generator=random), torch.randint(3, (30,), generator=random)


def new_model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.0), nn.Linear(8, 3))


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_takes_the_steps_of_a_plain_loop(samples: tuple[Tensor, Tensor]) -> None:
    inputs, labels = samples
    model, expected = new_model(), new_model()
    train(model, inputs, labels, TRAINING, generator())
    order_of = generator()
    for _ in range(2):
        order = torch.randperm(30, generator=order_of)
        for start in range(0, 30, 4):
            batch = order[start : start + 4]
            loss = functional.cross_entropy(expected(inputs[batch]), labels[batch])
            gradients = torch.autograd.grad(loss, list(expected.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(expected.parameters(), gradients, strict=True):
                    parameter -= 0.1 * gradient
    for ours, theirs in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_generator_alone_decides_the_result(samples: tuple[Tensor, Tensor]) -> None:
    def trained(seed: int) -> Tensor:
        model = new_model()
        train(model, *samples, TRAINING, generator(seed))
        return nn.utils.parameters_to_vector(model.parameters())

    assert torch.equal(trained(5), trained(5))
    assert not torch.equal(trained(5), trained(6))


def test_the_gap_is_loss_before_minus_loss_after_over_all_samples(
    samples: tuple[Tensor, Tensor],
) -> None:
    model = new_model()
    before = functional.cross_entropy(model(samples[0]), samples[1]).item()
    report = train_and_measure(model, *samples, TRAINING, generator())
    after = functional.cross_entropy(model(samples[0]), samples[1]).item()
    assert report.loss_before == pytest.approx(before, rel=1e-5)
    assert report.loss_after == pytest.approx(after, rel=1e-5)
    assert report.loss_gap == report.loss_before - report.loss_after > 0
    assert report.num_examples == 30


def test_the_loss_is_measured_in_eval_mode_and_in_any_number_of_batches() -> None:
    model = nn.Sequential(nn.Dropout(0.9), nn.Linear(4, 3))
    inputs = torch.randn(EVALUATION_BATCH["cpu"] + 7, 4)
    labels = torch.randint(3, (EVALUATION_BATCH["cpu"] + 7,))
    whole = functional.cross_entropy(model[1](inputs).double(), labels)
    assert mean_loss(model, inputs, labels) == pytest.approx(float(whole.detach()), rel=1e-6)


def test_samples_stay_as_they_are(samples: tuple[Tensor, Tensor]) -> None:
    inputs, labels = samples[0].clone(), samples[1].clone()
    train_and_measure(new_model(), *samples, TRAINING, generator())
    assert torch.equal(samples[0], inputs)
    assert torch.equal(samples[1], labels)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("momentum", 1.0),
        ("weight_decay", -0.1),
    ],
)
def test_invalid_arguments_are_named(name: str, value: float) -> None:
    arguments: dict[str, float] = {"epochs": 1, "batch_size": 1, "learning_rate": 0.1}
    with pytest.raises(ValueError, match=name):
        LocalTraining(**(arguments | {name: value}))  # type: ignore[arg-type]


def test_model_arrays_go_out_and_come_back() -> None:
    from clients.model_arrays import arrays_of, load_arrays

    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    arrays = arrays_of(model)
    assert [a.shape for a in arrays] == [(2, 3), (2,), (2,), (2,), (2,), (2,), ()]
    changed = [np.asarray(array + 1, dtype=array.dtype) for array in arrays]
    load_arrays(model, changed)
    for a, b in zip(arrays_of(model), changed, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="7 arrays, got 6"):
        load_arrays(model, arrays[:6])
    with pytest.raises(ValueError, match=r"0.weight has shape \(2, 3\), got \(3, 2\)"):
        load_arrays(model, [arrays[0].T, *arrays[1:]])
