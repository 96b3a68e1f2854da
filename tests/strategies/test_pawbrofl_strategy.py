"""Both Flower strategies: same numbers, what they read from replies, and what they hand on."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import strategies.message
from strategies import Mean, Momentum, PAwBRoFL, PerformanceAware, aggregate

from .one_round import BOTH_APIS, AggregateFit, AggregateTrain, Model, NamedProxy, Reply

START = [np.zeros((4, 5), dtype=np.float32), np.zeros(7, dtype=np.float32)]


def honest_replies(number: int = 10) -> list[Reply]:
    random = np.random.default_rng(0)
    return [
        Reply(
            node=1000 - client,
            model=[(1 + 0.1 * random.normal(size=a.shape)).astype(np.float32) for a in START],
            metrics={"partition_id": client, "loss_gap": 0.1 * client},
        )
        for client in range(number)
    ]


@pytest.fixture(params=BOTH_APIS)
def api(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def log() -> Iterator[list[str]]:
    """What goes to Flower's log."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("flwr").addHandler(handler)
    yield lines
    logging.getLogger("flwr").removeHandler(handler)


def assert_same_bits(first: Model | None, second: Model | None) -> None:
    assert first is not None
    assert second is not None
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


@pytest.mark.parametrize("block_size", [None, 6])
def test_both_strategies_and_aggregate_give_the_same_bits(block_size: int | None) -> None:
    random = np.random.default_rng(1)
    start = [random.normal(size=a.shape).astype(np.float32) for a in START]
    replies = honest_replies()
    models = [[np.asarray(a) for a in reply.model] for reply in replies]
    updates = [[a - b for a, b in zip(start, model, strict=True)] for model in models]
    gaps = [reply.metrics["loss_gap"] for reply in replies]
    by_default = PAwBRoFL()
    mean = aggregate(updates, by_default.weighting, gaps, by_default.performance, block_size).mean
    expected = [
        (before - update.astype(np.float64)).astype(np.float32)
        for before, update in zip(start, mean, strict=True)
    ]
    assert_same_bits(AggregateFit(block_size=block_size).run(start, replies), expected)
    assert_same_bits(AggregateTrain(block_size=block_size).run(start, replies), expected)


def test_arrival_order_and_node_ids_change_no_bit(api: Any) -> None:
    replies, renamed = honest_replies(), honest_replies()[::-1]
    for reply, node in zip(renamed, np.random.default_rng(1).permutation(10), strict=True):
        reply.node = int(node) + 1
    assert_same_bits(api().run(START, replies), api().run(START, renamed))


def test_order_does_not_matter_either_where_clients_claim_the_same_name(api: Any) -> None:
    replies = honest_replies()
    for reply in replies[:3]:
        reply.metrics["partition_id"] = 5
    assert_same_bits(api().run(START, replies), api().run(START, replies[::-1]))


@pytest.mark.parametrize(("name", "first"), [(5, ["997", "996"]), (None, ["997", "996", "995"])])
def test_clients_without_a_name_of_their_own_are_told_of_in_one_order(
    api: Any, name: int | None, first: list[str]
) -> None:
    """By what they send, and by their gaps where that is the same; those without any name come last."""
    replies = honest_replies(6)
    replies[1].model = replies[0].model
    for reply in replies[:3]:
        del reply.metrics["partition_id"]
        if name is not None:
            reply.metrics["partition_id"] = name
    told = []
    for arrived in (replies, replies[::-1]):
        way = api()
        way.run(START, arrived)
        told.append([client.node for client in way.rounds[0].clients])
    assert told[0] == told[1]
    assert told[0][: len(first)] == first


def test_a_model_that_is_not_finite_is_not_taken_and_leaves_no_trace(api: Any, log: list[str]) -> None:
    """Not in the server optimiser either, which would carry it into the next round."""
    options: dict[str, Any] = {"server_learning_rate": 1e38, "server_optimizer": Momentum()}
    small = honest_replies()
    for reply in small:
        reply.model = [1e-30 * array for array in reply.model]
    way = api(**options)
    assert way.run(START, honest_replies()) is None
    assert any("the new model is not finite, the old one is kept" in line for line in log)
    assert_same_bits(way.run(START, small, server_round=2), api(**options).run(START, small))


def test_server_learning_rate_scales_the_step(api: Any) -> None:
    options: dict[str, Any] = {"weighting": Mean(), "performance": None}
    whole = api(**options).run(START, honest_replies())
    half = api(server_learning_rate=0.5, **options).run(START, honest_replies())
    for a, b in zip(whole, half, strict=True):
        np.testing.assert_allclose(b, a / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("gap_name", "id_name"), [("loss_gap", "partition_id"), ("loss-gap", "partition-id")]
)
def test_gaps_tilt_the_weights_of_their_own_clients(api: Any, gap_name: str, id_name: str) -> None:
    replies = honest_replies()[::-1]
    for reply in replies:
        reply.metrics = {
            gap_name: reply.metrics["loss_gap"],
            id_name: reply.metrics["partition_id"],
        }
    way = api(weighting=Mean(), performance=PerformanceAware(mu=0.01, bound_reports=False))
    way.run(START, replies)
    clients = way.rounds[0].clients
    assert [client.client for client in clients] == [str(number) for number in range(10)]
    assert [client.loss_gap for client in clients] == pytest.approx([0.1 * n for n in range(10)])
    assert all(np.diff([client.weight for client in clients]) > 0)


def test_the_gap_may_have_another_name(api: Any) -> None:
    replies = honest_replies()
    for reply in replies:
        reply.metrics["my-gap"] = reply.metrics.pop("loss_gap")
    way = api(loss_gap_key="my_gap")
    way.run(START, replies)
    assert way.rounds[0].clients[9].loss_gap == pytest.approx(0.9)


def test_a_client_without_a_name_of_its_own_goes_by_its_node(api: Any) -> None:
    replies = honest_replies()
    for reply in replies:
        del reply.metrics["partition_id"]
    way = api()
    way.run(START, replies)
    assert {client.client for client in way.rounds[0].clients} == {str(r.node) for r in replies}


def test_a_far_away_client_is_judged_malicious_and_the_log_names_it(api: Any, log: list[str]) -> None:
    replies = honest_replies()
    replies[4].model = [a - 100 for a in START]
    replies[4].metrics["loss_gap"] = 50.0
    way = api()
    model = way.run(START, replies)
    assert [c.client for c in way.rounds[0].clients if c.judged_malicious] == ["4"]
    assert all(np.abs(array - 1).max() < 0.5 for array in model)
    assert any(line.endswith("judged malicious: 4") for line in log)


@pytest.mark.parametrize("reporting", [0, 1, 7])
def test_without_enough_reports_it_is_robust_only_and_says_so_once(
    api: Any, log: list[str], reporting: int
) -> None:
    """Else the few who report, such as one attacker, would be handed the model."""
    replies = honest_replies()
    for reply in replies[reporting:]:
        del reply.metrics["loss_gap"]
    way = api(weighting=Mean(), epsilon=0.2)
    first = way.run(START, replies)
    way.run(START, replies)
    expected = np.mean([np.asarray(reply.model[1]) for reply in replies], axis=0)
    np.testing.assert_allclose(first[1], expected, rtol=1e-6)
    missing = f"{10 - reporting} of 10 clients report no metric `loss_gap`"
    assert sum(missing in line for line in log) == 1


def test_up_to_epsilon_of_the_reports_may_be_missing(api: Any, log: list[str]) -> None:
    """An older client, or a loss that is NaN: it counts as if it were the median one."""
    replies = honest_replies()
    del replies[0].metrics["loss_gap"]
    replies[1].metrics["loss_gap"] = math.nan
    way = api(weighting=Mean(), epsilon=0.2)
    way.run(START, replies)
    way.run(START, replies, server_round=2)
    weights = [client.weight for client in way.rounds[0].clients]
    assert weights[0] == weights[1] == pytest.approx(weights[5])
    assert sum("clients 0, 1 report no metric `loss_gap`" in line for line in log) == 1


@pytest.mark.parametrize("accepted", [True, False])
def test_failures_are_accepted_unless_that_is_switched_off(accepted: bool) -> None:
    way = AggregateFit(accept_failures=accepted)
    way.run(START, honest_replies())
    results = [(NamedProxy(str(reply.node)), way.result(reply)) for reply in honest_replies()]
    parameters, _ = way.strategy.aggregate_fit(1, results, [ValueError("lost")])
    assert (parameters is not None) is accepted


INVALID = [
    ("epsilon", 0.5),
    ("epsilon", -0.1),
    ("server_learning_rate", 0.0),
    ("server_learning_rate", math.nan),
    ("block_size", 0),
    ("fraction_evaluate", 1.5),
]


@pytest.mark.parametrize("strategy", [PAwBRoFL, strategies.message.PAwBRoFL])
@pytest.mark.parametrize(("name", "value"), INVALID)
def test_invalid_arguments_are_named(strategy: Any, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        strategy(**{name: value})


@pytest.mark.parametrize("strategy", [PAwBRoFL, strategies.message.PAwBRoFL])
def test_epsilon_reaches_the_default_weighting_and_tilt(strategy: Any) -> None:
    made = strategy(epsilon=0.3)
    assert made.weighting.epsilon == 0.3
    assert made.performance.epsilon == 0.3
    assert strategy(performance=None).performance is None


@pytest.mark.parametrize("strategy", [PAwBRoFL, strategies.message.PAwBRoFL])
def test_the_summary_names_what_decides_the_aggregation(strategy: Any, log: list[str]) -> None:
    made = strategy(server_learning_rate=0.7)
    made.summary()
    text = "\n".join(log)
    for words in (repr(made.weighting), repr(made.performance), "Server learning rate: 0.7"):
        assert words in text
