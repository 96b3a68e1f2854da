"""Fair aggregators as a Flower strategy: weights, missing losses, hostile replies, resuming."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.common import Code, EvaluateRes, Status, parameters_to_ndarrays

import strategies.message
from strategies import FairAveraging, diagnostics_table
from strategies.fairness import (
    FAIR_WEIGHTINGS,
    QFFL,
    AgnosticFL,
    FairWeighting,
    FedMGDAPlus,
    TiltedERM,
    fair_weighting_named,
)

from .one_round import AggregateFit, AggregateTrain, Model, NamedProxy, Reply

START = [np.full((4, 5), 3.0, np.float32), np.arange(7, dtype=np.float32), np.array([1, 2])]
LOSSES = (0.5, 0.1, 2.0, 0.7, 0.2, 1.1)


def replies_with(losses: Sequence[Any], ids: Sequence[int] = (), seed: int = 0) -> list[Reply]:
    """Return replies whose losses stay away where they are None."""
    random = np.random.default_rng(seed)
    return [
        Reply(
            node=1000 - i,
            model=[
                (a - 0.1 * random.normal(size=a.shape)).astype(np.float32) if a.dtype.kind == "f" else a
                for a in START
            ],
            metrics={"partition_id": ids[i] if ids else i, "loss_gap": 0.1}
            | ({} if loss is None else {"loss_before": loss}),
        )
        for i, loss in enumerate(losses)
    ]


def rounds_of(weighting: FairWeighting, **options: Any) -> AggregateFit:
    way = AggregateFit(strategy=object())
    way.strategy = FairAveraging(
        weighting,
        min_available_clients=1,
        min_fit_clients=1,
        min_evaluate_clients=1,
        on_round=way.rounds.append,
        **options,
    )
    return way


def message_rounds_of(weighting: FairWeighting, **options: Any) -> AggregateTrain:
    way = AggregateTrain(strategy=object())
    way.strategy = strategies.message.FairAveraging(
        weighting, min_available_nodes=1, min_train_nodes=1, on_round=way.rounds.append, **options
    )
    return way


BOTH: tuple[Any, ...] = (rounds_of, message_rounds_of)


def shares(way: AggregateFit | AggregateTrain) -> list[float]:
    return [client.weight for client in way.rounds[-1].clients]


def updates_of(replies: Sequence[Reply]) -> np.ndarray[Any, Any]:
    return np.stack(
        [
            np.concatenate(
                [(np.asarray(a) - b).ravel() for a, b in zip(START, r.model, strict=True)][:2]
            ).astype(np.float64)
            for r in replies
        ]
    )


def flat(model: Model | None) -> np.ndarray[Any, Any]:
    assert model is not None
    return np.concatenate([array.ravel() for array in model[:2]]).astype(np.float64)


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Warnings in Flower's log."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("flwr").addHandler(handler)
    yield lines
    logging.getLogger("flwr").removeHandler(handler)


@pytest.mark.parametrize("name", FAIR_WEIGHTINGS)
@pytest.mark.parametrize("metric", ["loss_before", "loss-before"])
def test_a_round_is_the_weighting_s_step(name: str, metric: str) -> None:
    weighting = fair_weighting_named(name)
    replies = replies_with(LOSSES)
    updates = updates_of(replies)
    weights, _ = weighting.apply(weighting.init(6), updates @ updates.T, np.array(LOSSES))
    for reply in replies:
        reply.metrics[metric] = reply.metrics.pop("loss_before")
    way = rounds_of(weighting)
    model = way.run(START, replies[::-1])
    np.testing.assert_allclose(flat(model), flat(START) - weights @ updates, rtol=1e-6, atol=1e-6)
    assert model is not None
    np.testing.assert_array_equal(model[2], START[2])
    assert [array.dtype for array in model] == [array.dtype for array in START]
    np.testing.assert_allclose(shares(way), weights / weights.sum(), atol=1e-7)


def test_diagnostics_judge_nobody_and_know_the_weights() -> None:
    way = rounds_of(TiltedERM(5.0))
    way.run(START, replies_with(LOSSES))
    table = diagnostics_table(way.rounds)
    assert table["weight"].sum() == pytest.approx(1)
    assert table["weight"].idxmax() == 2
    assert table["robust_weight"].isna().all()
    assert not table["judged_malicious"].any()
    assert (table["loss_gap"] == 0.1).all()


def test_the_server_learning_rate_scales_the_step() -> None:
    whole = flat(rounds_of(QFFL()).run(START, replies_with(LOSSES))) - flat(START)
    half = rounds_of(QFFL(), server_learning_rate=0.5).run(START, replies_with(LOSSES))
    np.testing.assert_allclose(flat(half) - flat(START), whole / 2, atol=1e-6)
    with pytest.raises(ValueError, match="server_learning_rate must be above 0, got 0"):
        FairAveraging(QFFL(), server_learning_rate=0)


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, "much", True, 10**400])
def test_a_client_without_a_loss_gets_no_weight_and_is_named(missing: Any, log: list[str]) -> None:
    way = rounds_of(TiltedERM())
    way.run(START, replies_with((0.5, missing, 2.0)))
    assert shares(way)[1] == 0
    assert shares(way)[0] > 0
    assert log == [
        "aggregate_fit: no weight for clients 1, which report no metric `loss_before` that is a finite "
        "number"
    ]


def test_without_any_loss_it_is_the_plain_mean_and_the_log_says_so_once(log: list[str]) -> None:
    way = rounds_of(AgnosticFL())
    replies = replies_with([None] * 4)
    for server_round in (1, 2):
        model = way.run(START, replies, server_round)
        mean = flat(START) - updates_of(replies).mean(axis=0)
        np.testing.assert_allclose(flat(model), mean, rtol=1e-6)
    assert len(log) == 1
    assert "no client reports a metric `loss_before`" in log[0]
    assert shares(way) == pytest.approx([0.25] * 4)


def test_what_uses_no_loss_misses_none(log: list[str]) -> None:
    with_losses, without = rounds_of(FedMGDAPlus()), rounds_of(FedMGDAPlus())
    with_losses.run(START, replies_with(LOSSES))
    without.run(START, replies_with([None] * 6))
    assert shares(with_losses) == shares(without)
    assert log == []


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("name", FAIR_WEIGHTINGS)
@pytest.mark.parametrize(
    "loss", [1e308, -1e308, 0.0, -5.0, 5e-324, math.nan, -math.inf, [1.0], b"x"], ids=str
)
def test_whatever_is_reported_the_model_is_finite(name: str, loss: Any) -> None:
    replies = replies_with((0.5, 1.0, loss, loss))
    replies[3].model = [np.full_like(a, 3e37) if a.dtype.kind == "f" else a for a in START]
    model = rounds_of(fair_weighting_named(name)).run(START, replies)
    assert model is None or np.isfinite(flat(model)).all()


@pytest.mark.parametrize("name", FAIR_WEIGHTINGS)
def test_a_hostile_model_is_left_out_and_the_others_count(name: str, log: list[str]) -> None:
    fair = replies_with(LOSSES)
    hostile = replies_with(LOSSES)
    hostile[1].model = [np.full_like(a, np.nan) if a.dtype.kind == "f" else a for a in START]
    hostile[4].model = [b"no array"] * 3
    way, expected = rounds_of(fair_weighting_named(name)), rounds_of(fair_weighting_named(name))
    expected.num_asked(START, [reply.node for reply in fair])
    results = [(NamedProxy(str(fair[i].node)), expected.result(fair[i])) for i in (0, 2, 3, 5)]
    parameters, _ = expected.strategy.aggregate_fit(1, results, [])
    others = parameters_to_ndarrays(parameters)
    np.testing.assert_array_equal(flat(way.run(START, hostile)), flat(others))
    left_out = [client.client for client in way.rounds[0].clients if client.left_out]
    assert left_out == ["1", "4"]
    assert [shares(way)[i] for i in (1, 4)] == [0, 0]
    assert sum("left out client" in line for line in log) == 2


def test_where_no_reply_can_be_used_the_model_is_kept() -> None:
    way = rounds_of(QFFL())
    replies = replies_with((1.0, 2.0))
    for reply in replies:
        reply.model = [b""]
    assert way.run(START, replies) is None
    assert all(client.judged_malicious for client in way.rounds[0].clients)


def test_a_hostile_evaluation_or_metric_ends_no_round() -> None:
    def result(loss: float, examples: int) -> Any:
        return NamedProxy("1"), EvaluateRes(Status(Code.OK, ""), loss, examples, {})

    def mean_age(metrics: Any) -> dict[str, float]:
        return {"age": float(np.mean([each["age"] for _, each in metrics]))}

    way = rounds_of(QFFL(), fit_metrics_aggregation_fn=mean_age)
    hostile = [result(math.nan, 5), result(1.0, 0), result(9.0, -3)]
    assert way.strategy.aggregate_evaluate(1, [result(1.0, 5), *hostile], [])[0] == 1.0
    assert way.run(START, replies_with(LOSSES)) is not None
    assert way.metrics == {}
    replies = replies_with(LOSSES)
    for reply in replies:
        reply.metrics["age"] = 3.0
    way.run(START, replies)
    assert way.metrics == {"age": 3.0}


def test_afl_s_weights_belong_to_client_ids_and_wait_for_those_who_are_away() -> None:
    way = rounds_of(AgnosticFL(step=0.2))
    way.run(START, replies_with(LOSSES), 1)
    first = dict(zip("012345", shares(way), strict=True))
    assert way.strategy.state()["clients"].tolist() == list("012345")
    way.run(START, replies_with((1.0, 1.0), ids=(4, 2)), 2)
    present = first["2"] + first["4"]
    assert shares(way) == pytest.approx([first["2"] / present, first["4"] / present])
    way.run(START, replies_with([1.0] * 6), 3)
    assert shares(way) == pytest.approx(list(first.values()))


def test_a_new_client_begins_with_an_equal_share() -> None:
    way = rounds_of(AgnosticFL(step=0.0))
    way.run(START, replies_with(LOSSES[:2]), 1)
    way.run(START, replies_with(LOSSES[:4]), 2)
    assert shares(way) == pytest.approx([0.25] * 4)


def test_claiming_another_s_id_shares_its_weight_and_makes_none() -> None:
    way = rounds_of(AgnosticFL(step=0.0))
    way.run(START, replies_with([1.0] * 3), 1)
    way.run(START, replies_with([1.0] * 4, ids=(0, 1, 2, 2)), 2)
    assert sorted(shares(way)) == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 3])
    assert sum(way.strategy.state()["carried"]) == pytest.approx(1)


@pytest.mark.parametrize("start", BOTH, ids=["aggregate_fit", "aggregate_train"])
@pytest.mark.parametrize("weighting", [AgnosticFL(0.3), QFFL(2.0)], ids=str)
def test_resumed_it_goes_on_bit_for_bit(weighting: FairWeighting, start: Any) -> None:
    losses = np.random.default_rng(1).exponential(size=(4, 5))
    whole, killed, resumed = (start(weighting) for _ in range(3))
    models = [
        whole.run(START, replies_with(row, seed=i), i) for i, row in enumerate(losses.tolist(), start=1)
    ]
    for server_round in (1, 2):
        killed.run(START, replies_with(losses[server_round - 1].tolist(), seed=server_round))
    resumed.strategy.restore(killed.strategy.state())
    for server_round in (3, 4):
        model = resumed.run(START, replies_with(losses[server_round - 1].tolist(), seed=server_round))
        np.testing.assert_array_equal(flat(model), flat(models[server_round - 1]))
    assert shares(resumed) == shares(whole)


@pytest.mark.parametrize("name", FAIR_WEIGHTINGS)
def test_both_apis_give_the_same_bits(name: str, log: list[str]) -> None:
    fit, train = (start(fair_weighting_named(name), server_learning_rate=0.7) for start in BOTH)
    random = np.random.default_rng(3)
    for server_round in (1, 2, 3):
        replies = replies_with(random.exponential(size=7).tolist(), seed=server_round)
        replies[2].metrics["loss_before"] = math.inf
        replies[4].model = [b"no array"] * 3
        replies[5].model = [np.full_like(a, np.nan) if a.dtype.kind == "f" else a for a in START]
        ours, theirs = (way.run(START, replies, server_round) for way in (train, fit))
        assert ours is not None
        assert theirs is not None
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
        assert shares(train) == shares(fit)
        for one, other in zip(train.rounds[-1].clients, fit.rounds[-1].clients, strict=True):
            assert (one.client, one.judged_malicious) == (other.client, other.judged_malicious)
            # Arrays have names in one API, and positions in the other.
            assert one.left_out.replace("array a", "array ") == other.left_out
    for key, value in fit.strategy.state().items():
        np.testing.assert_array_equal(train.strategy.state()[key], value)
    for stage in ("aggregate_fit", "aggregate_train"):
        named = f"{stage}: no weight for clients 2, which report no" in "".join(log)
        assert named == fair_weighting_named(name).uses_losses


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be one of q-ffl, afl, .* got 'mean'"):
        fair_weighting_named("mean")
    assert fair_weighting_named(" afl( step = 0.5 , ) ") == AgnosticFL(0.5)
    with pytest.raises(ValueError, match="takes each of step once, as name=number; got 'step=2'"):
        fair_weighting_named("afl(step=1,step=2)")
