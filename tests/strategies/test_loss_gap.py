"""The optimality gap, measured around any training."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from strategies import measure_loss_gap


def test_around_a_training_loop_in_numpy() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(50, 3))
    targets = inputs @ np.array([1.0, -2.0, 0.5])
    weights = np.zeros(3)

    def loss() -> float:
        return float(np.mean((inputs @ weights - targets) ** 2))

    before = loss()
    with measure_loss_gap(loss) as gap:
        for _ in range(20):
            weights -= 0.1 * inputs.T @ (inputs @ weights - targets) / 50
    assert gap.before == before
    assert gap.after == loss()
    assert gap.value == before - loss() > 0


def test_around_a_training_loop_in_pytorch() -> None:
    torch.manual_seed(0)
    inputs, labels = torch.randn(40, 5), torch.arange(40) % 2
    model = nn.Linear(5, 2)

    def loss() -> torch.Tensor:
        with torch.no_grad():
            return functional.cross_entropy(model(inputs), labels)

    with measure_loss_gap(loss) as gap:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        functional.cross_entropy(model(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert gap.value > 0
    assert isinstance(gap.value, float)


def test_until_training_has_ended_it_is_unknown() -> None:
    with measure_loss_gap(lambda: 1.0) as gap:
        assert math.isnan(gap.value)
    assert gap.value == 0


def test_a_failing_training_is_not_measured_and_fails_as_before() -> None:
    calls = []
    with (
        pytest.raises(RuntimeError, match="out of memory"),
        measure_loss_gap(lambda: calls.append(1) or 1.0),
    ):
        raise RuntimeError("out of memory")
    assert len(calls) == 1
