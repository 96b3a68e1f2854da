"""Server optimisers: their recurrences, their limits, and that a kept model leaves their state alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strategies import Adam, Mean, Momentum

from .one_round import BOTH_APIS, Reply

PLAIN: dict[str, Any] = {"weighting": Mean(), "performance": None}
UPDATE = [np.array([1.0, -2.0]), np.array([[4.0]])]


def test_momentum_adds_up_what_decays() -> None:
    optimizer, state = Momentum(0.5), None
    for expected in (1, 1.5, 1.75):
        direction, state = optimizer.direction(UPDATE, state)
        for d, g in zip(direction, UPDATE, strict=True):
            np.testing.assert_allclose(d, expected * g)


def test_momentum_of_zero_is_the_plain_step() -> None:
    _, state = Momentum(0.0).direction([np.array([9.0])], None)
    direction, _ = Momentum(0.0).direction([np.array([1.0])], state)
    np.testing.assert_array_equal(direction, [[1.0]])


def test_adam_follows_algorithm_2() -> None:
    optimizer, state = Adam(0.9, 0.99, 0.1), None
    mean, square = 0.0, 0.1**2
    for g in (1.0, -3.0, 0.5):
        mean = 0.9 * mean + 0.1 * g
        square = 0.99 * square + 0.01 * g**2
        direction, state = optimizer.direction([np.array([g])], state)
        np.testing.assert_allclose(direction[0], mean / (np.sqrt(square) + 0.1))


def test_adam_takes_equal_steps_for_updates_of_any_scale() -> None:
    small, _ = Adam(tau=1e-12).direction([np.array([1e-3])], None)
    large, _ = Adam(tau=1e-12).direction([np.array([1e3])], None)
    np.testing.assert_allclose(small, large, rtol=1e-6)


@pytest.mark.parametrize("api", BOTH_APIS)
@pytest.mark.parametrize("optimizer", [Momentum(0.9), Adam()])
def test_a_round_without_a_usable_reply_leaves_the_state_alone(api: Any, optimizer: Any) -> None:
    start = [np.zeros(3, np.float32)]
    good = [Reply(n, [np.full(3, n, np.float32)]) for n in (1, 2)]
    bad = [Reply(1, [np.full(3, np.nan, np.float32)])]
    undisturbed = api(server_optimizer=optimizer, **PLAIN)
    disturbed = api(server_optimizer=optimizer, **PLAIN)
    model = undisturbed.run(start, good)
    np.testing.assert_array_equal(disturbed.run(start, good), model)
    assert disturbed.run(model, bad) is None
    np.testing.assert_array_equal(disturbed.run(model, good), undisturbed.run(model, good))


@pytest.mark.parametrize("api", BOTH_APIS)
def test_another_model_starts_anew(api: Any) -> None:
    way = api(server_optimizer=Momentum(), **PLAIN)
    way.run([np.zeros(3, np.float32)], [Reply(1, [np.ones(3, np.float32)])])
    model = way.run([np.zeros(5, np.float32)], [Reply(1, [np.ones(5, np.float32)])])
    np.testing.assert_array_equal(model, [np.ones(5)])


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [
        (Momentum, "beta", 1.0),
        (Momentum, "beta", -0.1),
        (Adam, "beta_1", 1.0),
        (Adam, "beta_2", np.nan),
        (Adam, "tau", 0.0),
    ],
)
def test_invalid_arguments_are_named(optimizer: Any, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        optimizer(**{name: value})
