"""The Flower strategy: what it reads from replies, what it leaves out, and what it hands on."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import pytest
from flwr.common import (
    Code,
    FitRes,
    Parameters,
    Scalar,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.server.client_manager import SimpleClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import FedAvg
from numpy.typing import NDArray

from strategies import Mean, PAwBRoFL, PerformanceAware
from strategies.diagnostics import RoundDiagnostics

GLOBAL = [np.zeros((4, 5), dtype=np.float32), np.zeros(7, dtype=np.float32)]
OK = Status(Code.OK, "")


class NamedProxy(ClientProxy):
    """A client that is only a name."""

    get_properties = get_parameters = fit = evaluate = reconnect = None  # type: ignore[assignment]


def reply(
    node: int, model: list[NDArray[Any]] | Parameters, metrics: dict[str, Scalar] | None = None
) -> tuple[ClientProxy, FitRes]:
    parameters = model if isinstance(model, Parameters) else ndarrays_to_parameters(model)
    return NamedProxy(str(node)), FitRes(OK, parameters, 10, metrics or {})


def honest_replies(number: int = 10) -> list[tuple[ClientProxy, FitRes]]:
    random = np.random.default_rng(0)
    return [
        reply(
            1000 - client,
            [(1 + 0.1 * random.normal(size=a.shape)).astype(np.float32) for a in GLOBAL],
            {"partition_id": client, "loss_gap": 0.1 * client},
        )
        for client in range(number)
    ]


def strategy_after_configure(**options: Any) -> PAwBRoFL:
    strategy = PAwBRoFL(min_available_clients=1, min_fit_clients=1, **options)
    manager = SimpleClientManager()
    manager.register(NamedProxy("1"))
    strategy.configure_fit(1, ndarrays_to_parameters(GLOBAL), manager)
    return strategy


def aggregated(strategy: PAwBRoFL, results: list[tuple[ClientProxy, FitRes]]) -> list[NDArray[Any]]:
    parameters, _ = strategy.aggregate_fit(1, results, [])
    assert parameters is not None
    return parameters_to_ndarrays(parameters)


def test_arrival_order_and_node_ids_change_no_bit() -> None:
    results = honest_replies()
    renamed = [
        (NamedProxy(str(node)), result)
        for node, (_, result) in zip(np.random.default_rng(1).permutation(10), results, strict=True)
    ]
    first = aggregated(strategy_after_configure(), results)
    second = aggregated(strategy_after_configure(), renamed[::-1])
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_order_does_not_matter_either_where_clients_claim_the_same_name() -> None:
    results = honest_replies()
    for _, result in results[:3]:
        result.metrics["partition_id"] = 5
    first = aggregated(strategy_after_configure(), results)
    second = aggregated(strategy_after_configure(), results[::-1])
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_mean_without_tilt_is_fedavg() -> None:
    results = honest_replies()
    ours = aggregated(strategy_after_configure(weighting=Mean(), performance=None), results)
    theirs, _ = FedAvg().aggregate_fit(1, results, [])
    assert theirs is not None
    for a, b in zip(ours, parameters_to_ndarrays(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
        assert a.dtype == b.dtype


def test_server_learning_rate_scales_the_step() -> None:
    options: dict[str, Any] = {"weighting": Mean(), "performance": None}
    whole = aggregated(strategy_after_configure(**options), honest_replies())
    half = aggregated(strategy_after_configure(server_learning_rate=0.5, **options), honest_replies())
    for a, b in zip(whole, half, strict=True):
        np.testing.assert_allclose(b, a / 2, rtol=1e-6)


def test_gaps_tilt_the_weights_of_their_own_clients() -> None:
    rounds: list[RoundDiagnostics] = []
    strategy = strategy_after_configure(
        weighting=Mean(),
        performance=PerformanceAware(mu=0.01, bound_reports=False),
        on_round=rounds.append,
    )
    aggregated(strategy, honest_replies()[::-1])
    clients = rounds[0].clients
    assert [client.client for client in clients] == [str(number) for number in range(10)]
    assert [client.loss_gap for client in clients] == pytest.approx([0.1 * n for n in range(10)])
    assert all(np.diff([client.weight for client in clients]) > 0)


def test_a_far_away_client_is_judged_malicious() -> None:
    rounds: list[RoundDiagnostics] = []
    results = honest_replies()
    results[4] = reply(7, [a - 100 for a in GLOBAL], {"partition_id": 4, "loss_gap": 50.0})
    model = aggregated(strategy_after_configure(on_round=rounds.append), results)
    assert [c.client for c in rounds[0].clients if c.judged_malicious] == ["4"]
    assert all(np.abs(array - 1).max() < 0.5 for array in model)


HOSTILE = {
    "NaN": [np.full((4, 5), np.nan, dtype=np.float32), GLOBAL[1]],
    "infinity": [GLOBAL[0], np.full(7, np.inf, dtype=np.float32)],
    "a wrong shape": [np.zeros((5, 4), dtype=np.float32), GLOBAL[1]],
    "whole numbers": [np.zeros((4, 5), dtype=np.int64), GLOBAL[1]],
    "too few arrays": [GLOBAL[0]],
    "no arrays": [],
    "bytes that are no array": Parameters([b"hello", b"world"], "numpy.ndarray"),
    "a pickle": Parameters([b"\x80\x04K\x01.", b"\x80\x04K\x01."], "numpy.ndarray"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_reply_is_left_out_with_its_reason(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[RoundDiagnostics] = []
    results = honest_replies()
    results[3] = reply(9, HOSTILE[kind], {"partition_id": 3, "loss_gap": 0.3})  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, logger="flwr"):
        model = aggregated(strategy_after_configure(on_round=rounds.append), results)
    assert all(np.isfinite(array).all() for array in model)
    left_out = {client.client: client.left_out for client in rounds[0].clients if client.left_out}
    assert list(left_out) == ["3"]


def test_the_model_is_kept_where_no_reply_can_be_used() -> None:
    rounds: list[RoundDiagnostics] = []
    strategy = strategy_after_configure(on_round=rounds.append)
    parameters, _ = strategy.aggregate_fit(1, [reply(1, []), reply(2, [GLOBAL[0]])], [])
    assert parameters is None
    assert all(client.judged_malicious for client in rounds[0].clients)


@pytest.mark.parametrize("gap", [math.nan, math.inf, "0.5", True, 10**400, None])
def test_a_gap_that_is_no_finite_number_counts_as_missing(gap: Any) -> None:
    rounds: list[RoundDiagnostics] = []
    results = honest_replies()
    results[2][1].metrics["loss_gap"] = gap
    aggregated(strategy_after_configure(on_round=rounds.append, weighting=Mean()), results)
    assert math.isnan(rounds[0].clients[2].loss_gap)
    assert rounds[0].clients[2].weight == 0


def test_hyphenated_metric_names_are_found() -> None:
    rounds: list[RoundDiagnostics] = []
    results = honest_replies()
    for _, result in results:
        result.metrics["loss-gap"] = result.metrics.pop("loss_gap")
    aggregated(strategy_after_configure(on_round=rounds.append), results)
    assert rounds[0].clients[9].loss_gap == pytest.approx(0.9)


def test_without_reports_it_is_robust_only_and_says_so_once() -> None:
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("flwr").addHandler(handler)
    strategy = strategy_after_configure(weighting=Mean())
    results = honest_replies()
    for _, result in results:
        del result.metrics["loss_gap"]
    first = aggregated(strategy, results)
    aggregated(strategy, results)
    logging.getLogger("flwr").removeHandler(handler)
    expected = np.mean([parameters_to_ndarrays(r.parameters)[1] for _, r in results], axis=0)
    np.testing.assert_allclose(first[1], expected, rtol=1e-6)
    assert sum("no client reports the fit metric `loss_gap`" in text for text in messages) == 1


def test_integer_arrays_come_from_the_client_of_largest_weight() -> None:
    strategy = PAwBRoFL(
        min_available_clients=1,
        min_fit_clients=1,
        weighting=Mean(),
        performance=PerformanceAware(mu=0.01, bound_reports=False),
    )
    manager = SimpleClientManager()
    manager.register(NamedProxy("1"))
    start = [np.zeros(3, dtype=np.float32), np.asarray(0)]
    strategy.configure_fit(1, ndarrays_to_parameters(start), manager)
    results = [
        reply(
            n,
            [np.ones(3, dtype=np.float32), np.asarray(100 + n)],
            {"partition_id": n, "loss_gap": float(n)},
        )
        for n in range(4)
    ]
    model = aggregated(strategy, results)
    assert model[1] == 103


def test_failures_are_accepted_unless_that_is_switched_off() -> None:
    failures: list[Any] = [ValueError("lost")]
    assert strategy_after_configure().aggregate_fit(1, honest_replies(), failures)[0] is not None
    strict = strategy_after_configure(accept_failures=False)
    assert strict.aggregate_fit(1, honest_replies(), failures) == (None, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epsilon", 0.5),
        ("epsilon", -0.1),
        ("server_learning_rate", 0.0),
        ("server_learning_rate", math.nan),
        ("block_size", 0),
        ("fraction_fit", 1.5),
    ],
)
def test_invalid_arguments_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        PAwBRoFL(**{name: value})


def test_epsilon_reaches_the_default_weighting_and_tilt() -> None:
    strategy = PAwBRoFL(epsilon=0.3)
    assert strategy.weighting.epsilon == 0.3  # type: ignore[attr-defined]
    assert strategy.performance is not None
    assert strategy.performance.epsilon == 0.3
    assert PAwBRoFL(performance=None).performance is None
