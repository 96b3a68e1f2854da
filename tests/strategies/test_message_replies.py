"""Replies of the Message API: errors, several records, other names, metrics that do not fit."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Error, Message, MetricRecord, RecordDict

import strategies.message
from strategies import Mean
from strategies.flower_log import LONGEST_TEXT, one_line

from .one_round import BOTH_APIS, AggregateTrain
from .test_pawbrofl_strategy import START, honest_replies


def run_with(content: RecordDict | Error, weighting: Any = None) -> tuple[AggregateTrain, Any]:
    """Replace the reply of client 3 and aggregate."""
    way = AggregateTrain(weighting=weighting or Mean())
    replies = honest_replies()
    contents: dict[int, RecordDict | Error] = {r.node: way.content(r) for r in replies}
    contents[replies[3].node] = content
    return way, way.answer(START, contents)


def test_an_error_is_no_reply(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flwr")
    way, (arrays, _) = run_with(Error(1, "lost\n\x1b[31mWARNING: all is well" + "!" * 10_000))
    assert arrays is not None
    assert len(way.rounds[0].clients) == 9
    told = [record.getMessage() for record in caplog.records]
    assert "aggregate_train: Received 9 results and 1 failures" in told
    (line,) = [each for each in told if "lost" in each]
    assert "lost [31mWARNING: all is well" in line
    assert len(line) < 300
    assert line.strip().isprintable()


def test_a_clients_text_is_told_whole_where_it_is_short() -> None:
    assert one_line("lost\n it") == "lost it"
    assert one_line("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT
    assert one_line("x" * (LONGEST_TEXT + 1)) == "x" * LONGEST_TEXT + "..."


@pytest.mark.slow
def test_tens_of_thousands_of_metric_records_take_no_time() -> None:
    content = AggregateTrain().content(honest_replies()[3])
    for number in range(40_000):
        content[f"more {number}"] = MetricRecord({f"value {number}": 1.0})
    started = time.process_time()
    _, (arrays, _) = run_with(content)
    assert arrays is not None
    assert time.process_time() - started < 5, "it took 26 s where each was merged into all before"


@pytest.mark.parametrize(
    "content",
    [
        RecordDict(),
        RecordDict({"arrays": ArrayRecord()}),
        RecordDict({"arrays": MetricRecord()}),
        RecordDict({"a": ArrayRecord(START), "b": ArrayRecord(START)}),
        RecordDict({"arrays": ArrayRecord({"other": next(iter(ArrayRecord(START).values()))})}),
    ],
    ids=["nothing", "no arrays", "metrics only", "two records", "other names"],
)
def test_records_that_are_no_model_are_left_out(content: RecordDict) -> None:
    way, (arrays, metrics) = run_with(content)
    assert arrays is not None
    assert metrics is not None
    assert [bool(client.left_out) for client in way.rounds[0].clients].count(True) == 1


def test_an_array_too_many_is_named() -> None:
    content = AggregateTrain().content(honest_replies()[3])
    arrays = content.array_records["arrays"]
    arrays["head.bias"] = next(iter(arrays.values()))
    way, _ = run_with(content)
    (reason,) = [client.left_out for client in way.rounds[0].clients if client.left_out]
    assert reason == "3 arrays instead of 2; missing: []; not the model's: ['head.bias']"


@pytest.mark.parametrize("api", BOTH_APIS)
def test_a_model_of_trees_is_refused_with_a_sentence_about_trees(api: Any) -> None:
    with pytest.raises(
        ValueError, match="trees, such as XGBoost's, are no parameters that can be averaged"
    ):
        api().run([np.frombuffer(b"a booster", dtype=np.uint8)], [], silent=[1])


def test_of_several_records_the_one_with_the_servers_key_counts() -> None:
    replies = honest_replies()
    content = AggregateTrain().content(replies[3])
    content["more"] = ArrayRecord([np.zeros(3)])
    way, _ = run_with(content)
    assert not any(client.left_out for client in way.rounds[0].clients)


def test_an_unknown_serialization_is_left_out() -> None:
    content = AggregateTrain().content(honest_replies()[3])
    for array in content.array_records["arrays"].values():
        array.stype = "pickle"
    way, _ = run_with(content)
    assert "serialized" in next(c.left_out for c in way.rounds[0].clients if c.left_out)


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize(
    "metrics",
    [
        {"accuracy": 0.5},
        {"num-examples": 0, "accuracy": 0.5},
        {"num-examples": -9, "accuracy": 0.5},
        {"num-examples": [1, 2], "accuracy": 0.5},
        {"num-examples": 10, "accuracy": math.nan},
        {"num-examples": 10, "accuracy": 1e308},
        {"num-examples": 10, "accuracy": [1.0, 2.0]},
        {"num-examples": 10},
    ],
)
def test_metrics_unlike_the_others_are_not_averaged(metrics: dict[str, Any]) -> None:
    way = AggregateTrain()
    replies = honest_replies()
    for reply in replies:
        reply.metrics["accuracy"] = 0.25
    contents: dict[int, Any] = {reply.node: way.content(reply) for reply in replies}
    contents[replies[0].node]["metrics"] = MetricRecord(metrics)
    _, averaged = way.answer(START, contents)
    assert averaged is not None
    assert averaged["accuracy"] == pytest.approx(0.25)


def test_where_nobody_has_examples_no_metrics_are_averaged() -> None:
    way = AggregateTrain()
    replies = honest_replies()
    for reply in replies:
        reply.num_examples = 0
    assert way.run(START, replies) is not None
    assert not way.metrics


def test_a_hostile_evaluation_does_not_end_the_run(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flwr")
    way = AggregateTrain()
    contents = {
        node: RecordDict({"m": MetricRecord({"num-examples": 5, "loss": 1.0})}) for node in range(5)
    }
    contents[2] = RecordDict()
    contents[4] = RecordDict({"m": MetricRecord({"num-examples": 5, "loss": math.inf})})
    asked = way.messages(START, list(contents))
    answers = [Message(content, reply_to=asked[node]) for node, content in contents.items()]
    averaged = way.strategy.aggregate_evaluate(1, answers)
    assert dict(averaged) == {"loss": 1.0}
    told = [record.getMessage() for record in caplog.records]
    assert "aggregate_evaluate: Received 5 results and 0 failures" in told


def test_records_and_weights_may_have_other_keys() -> None:
    strategy = strategies.message.PAwBRoFL(
        min_available_nodes=1,
        min_train_nodes=1,
        arrayrecord_key="model",
        configrecord_key="settings",
        weighted_by_key="samples",
    )
    way = AggregateTrain(strategy)
    asked = way.messages(START, [1, 2])
    assert set(asked[1].content) == {"model", "settings"}
    answers = []
    for node, message in asked.items():
        content = {
            "model": way.record([a + node for a in START]),
            "other": ArrayRecord([np.zeros(2)]),
            "metrics": MetricRecord({"samples": node, "accuracy": float(node)}),
        }
        answers.append(Message(RecordDict(content), reply_to=message))
    arrays, metrics = strategy.aggregate_train(1, answers)
    assert arrays is not None
    assert metrics is not None
    np.testing.assert_allclose(arrays["a0"].numpy(), 1.5)
    assert metrics["accuracy"] == pytest.approx((1 * 1 + 2 * 2) / 3)
