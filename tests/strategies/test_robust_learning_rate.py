"""The robust learning rate: the step is turned around where too few clients agree on its sign."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strategies import FoolsGold, Mean, PAwBRoFL
from strategies.robust_learning_rate import robust_learning_rates
from strategies.updates import ClientUpdates

from .one_round import BOTH_APIS, Reply

PLAIN: dict[str, Any] = {"weighting": Mean(), "performance": None}


def test_coordinates_keep_their_sign_where_enough_clients_agree() -> None:
    updates = [[np.array([1.0, 1.0, -1.0, 0.0])], [np.array([2.0, -1.0, -1.0, 0.0])]]
    updates.append([np.array([0.5, 1.0, -7.0, 1.0])])
    # The balances of signs are 3, 1, -3 and 1.
    for threshold, expected in ((1, [1, 1, 1, 1]), (2, [1, -1, 1, -1]), (4, [-1, -1, -1, -1])):
        np.testing.assert_array_equal(
            robust_learning_rates(ClientUpdates(updates), threshold)[0], expected
        )


@pytest.mark.parametrize("api", BOTH_APIS)
def test_a_strategy_turns_what_few_agree_on(api: Any) -> None:
    start = [np.zeros(2)]
    # Updates, received less trained, are (-1, -1), (-2, 1) and (-3, 1): the mean is (-2, 1/3).
    replies = [Reply(i, [np.array([i, one])]) for i, one in ((1, 1.0), (2, -1.0), (3, -1.0))]
    model = api(**PLAIN, learning_threshold=3).run(start, replies)
    np.testing.assert_allclose(model[0], [2, 1 / 3])
    model = api(**PLAIN).run(start, replies)
    np.testing.assert_allclose(model[0], [2, -1 / 3])


@pytest.mark.parametrize("threshold", [-1, 1.5, True])
def test_a_threshold_out_of_its_range_is_named(threshold: Any) -> None:
    with pytest.raises(ValueError, match="learning_threshold must be a whole number of at least 0"):
        PAwBRoFL(learning_threshold=threshold)


@pytest.mark.parametrize("api", BOTH_APIS)
def test_what_a_defence_remembers_goes_through_a_checkpoint(api: Any) -> None:
    """Half of the rounds in another strategy that restored the first one's state: the same model."""
    random = np.random.default_rng(0)
    rounds = [
        [
            Reply(node, [random.normal(size=30) + (node < 4)], {"partition_id": node})
            for node in range(10)
        ]
        for _ in range(4)
    ]
    options: dict[str, Any] = {"weighting": FoolsGold(), "performance": None}
    straight, first, second = api(**options), api(**options), api(**options)
    start = [np.zeros(30)]
    expected = [straight.run(start, replies, k + 1)[0] for k, replies in enumerate(rounds)]
    for k in (0, 1):
        np.testing.assert_array_equal(first.run(start, rounds[k], k + 1)[0], expected[k])
    second.strategy.restore(first.strategy.state())
    for k in (2, 3):
        np.testing.assert_array_equal(second.run(start, rounds[k], k + 1)[0], expected[k])
    forgetful = api(**options).run(start, rounds[3], 4)
    assert np.abs(forgetful[0] - expected[3]).max() > 1e-3


@pytest.mark.parametrize(
    "options", [{"branches": 2}, {"vouched": ["1"]}, {"root_loss": len}, {"block_size": 10}], ids=str
)
def test_a_defence_stands_alone(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} must be left out with FoolsGold"):
        PAwBRoFL(weighting="foolsgold", **options)
