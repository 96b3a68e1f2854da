"""Where our options make PAwBRoFL one of Flower's own strategies, the numbers are Flower's."""

from __future__ import annotations

from typing import Any

import flwr.server.strategy
import flwr.serverapp.strategy
import numpy as np
import pytest
from flwr.common import ndarrays_to_parameters

from strategies import Adam, Mean, Momentum, MultiKrum

from .one_round import AggregateFit, AggregateTrain, Model, Reply
from .test_pawbrofl_strategy import START, honest_replies

PLAIN: dict[str, Any] = {"weighting": Mean(), "performance": None}
FIT: dict[str, Any] = {"min_available_clients": 1, "min_fit_clients": 1}
TRAIN: dict[str, Any] = {"min_available_nodes": 1, "min_train_nodes": 1}


def assert_equal_to_rounding(ours: Model | None, theirs: Model | None) -> None:
    assert ours is not None
    assert theirs is not None
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-7)
        assert a.dtype == b.dtype


def start_and_replies() -> tuple[Model, list[Reply]]:
    random = np.random.default_rng(3)
    return [random.normal(size=a.shape).astype(np.float32) for a in START], honest_replies()


def test_mean_without_tilt_is_fedavg() -> None:
    start, replies = start_and_replies()
    old = AggregateFit(flwr.server.strategy.FedAvg(**FIT)).run(start, replies)
    new = AggregateTrain(flwr.serverapp.strategy.FedAvg(**TRAIN)).run(start, replies)
    assert_equal_to_rounding(AggregateFit(**PLAIN).run(start, replies), old)
    assert_equal_to_rounding(AggregateTrain(**PLAIN).run(start, replies), new)


def test_metrics_are_averaged_as_in_fedavg() -> None:
    start, replies = start_and_replies()
    for reply, examples in zip(replies, range(1, 11), strict=True):
        reply.num_examples = examples
    ours, theirs = AggregateTrain(**PLAIN), AggregateTrain(flwr.serverapp.strategy.FedAvg(**TRAIN))
    ours.run(start, replies)
    theirs.run(start, replies)
    assert ours.metrics is not None
    assert theirs.metrics is not None
    assert dict(ours.metrics) == pytest.approx(dict(theirs.metrics))


def test_mean_with_momentum_is_fedavgm() -> None:
    start, replies = start_and_replies()
    options: dict[str, Any] = {"server_learning_rate": 0.5}
    theirs: Any = AggregateTrain(
        flwr.serverapp.strategy.FedAvgM(server_momentum=0.8, **options, **TRAIN)
    )
    ways = [
        theirs,
        *(
            way(server_optimizer=Momentum(0.8), **options, **PLAIN)
            for way in (AggregateFit, AggregateTrain)
        ),
    ]
    models = [start] * 3
    for server_round in range(1, 5):
        models = [way.run(model, replies, server_round) for way, model in zip(ways, models, strict=True)]
    assert_equal_to_rounding(models[1], models[0])
    assert_equal_to_rounding(models[2], models[0])


def test_mean_with_adam_is_fedadam_before_its_bias_correction() -> None:
    """Flower scales every step as Kingma and Ba do; Reddi et al., whom both name, do not."""
    start, replies = start_and_replies()
    theirs = AggregateFit(
        flwr.server.strategy.FedAdam(
            eta=0.1, tau=1e-9, initial_parameters=ndarrays_to_parameters(start), **FIT
        )
    ).run(start, replies)
    ours = AggregateFit(server_optimizer=Adam(tau=1e-9), server_learning_rate=0.1, **PLAIN).run(
        start, replies
    )
    assert ours is not None
    assert theirs is not None
    correction = np.sqrt(1 - 0.99**2) / (1 - 0.9**2)
    for before, a, b in zip(start, ours, theirs, strict=True):
        np.testing.assert_allclose((a - before) * correction, b - before, rtol=1e-4)


@pytest.mark.parametrize("num_selected", [1, 3])
def test_multi_krum_is_flowers(num_selected: int) -> None:
    start, replies = start_and_replies()
    for reply in replies[:2]:
        reply.model = [np.asarray(a) + 5 for a in reply.model]
    weighting = MultiKrum(epsilon=0.2, num_selected=num_selected)
    options: dict[str, Any] = {"weighting": weighting, "performance": None}
    theirs = AggregateTrain(
        flwr.serverapp.strategy.MultiKrum(
            num_malicious_nodes=2, num_nodes_to_select=num_selected, **TRAIN
        )
    ).run(start, replies)
    assert_equal_to_rounding(AggregateFit(**options).run(start, replies), theirs)
    assert_equal_to_rounding(AggregateTrain(**options).run(start, replies), theirs)
