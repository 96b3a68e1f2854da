"""Whatever a client sends through either API, a round ends with a finite model that it did not make."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from flwr.common import Code, EvaluateRes, Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import strategies.message
from strategies import WEIGHTINGS, Mean, Weighting, aggregate
from strategies.arrays import FloatArray
from strategies.fairness import QFFL
from strategies.replies import client_replies
from strategies.replies.client_replies import reported_number
from strategies.replies.serialized_arrays import (
    BFLOAT16,
    InvalidArray,
    deserialize_expected,
    serialize_array,
)
from strategies.weightings import weighting_named

from ..one_round import BOTH_APIS, AggregateFit, AggregateTrain, NamedProxy, Reply
from ..test_pawbrofl_strategy import START, honest_replies

F4 = np.dtype(np.float32)


def serialized(array: Any) -> bytes:
    return serialize_array(np.asarray(array), np.asarray(array).dtype)


def header(shape: Any, descr: Any = "<f4") -> bytes:
    """Return a header in NumPy's format without anything behind it."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


HUGE = header("(0x" + "f" * 8000 + ",)")


GOOD = [serialized(array) for array in START]
HOSTILE: dict[str, Any] = {
    "NaN": [np.full((4, 5), np.nan, dtype=np.float32), START[1]],
    "infinity": [START[0], np.full(7, np.inf, dtype=np.float32)],
    "numbers whose squares overflow": [np.full((4, 5), 1e300), START[1]],
    "float32's largest numbers": [np.full((4, 5), -3.4e38, dtype=np.float32), START[1]],
    "a wrong shape": [np.zeros((5, 4), dtype=np.float32), START[1]],
    "whole numbers": [np.zeros((4, 5), dtype=np.int64), START[1]],
    "complex numbers": [np.zeros((4, 5), dtype=np.complex64), START[1]],
    "texts": [np.full((4, 5), "x"), START[1]],
    "too few arrays": [START[0]],
    "too many arrays": [*START, START[0]],
    "no arrays": [],
    "bytes that are no array": [b"hello", b"world"],
    "no bytes": [b"", b""],
    "a pickle": [b"\x80\x04K\x01.", b"\x80\x04K\x01."],
    "an array of objects": [header((4, 5), "|O") + b"\x80\x04K\x01.", GOOD[1]],
    "an array cut short": [GOOD[0][:-3], GOOD[1]],
    "an array that goes on": [GOOD[0] + b"x", GOOD[1]],
    "a header that claims a petabyte": [header((2**48,)), GOOD[1]],
    "a negative shape": [header((-4, -5)), GOOD[1]],
    "a shape of a thousand dimensions": [header((1,) * 1000), GOOD[1]],
    "a length of nine thousand digits": [HUGE, GOOD[1]],
    "a dtype of many fields": [header((7,), [(f"f{k}", "<f4") for k in range(500)]), GOOD[1]],
    "a header of nested brackets": [b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, GOOD[1]],
    "ten megabytes for twenty numbers": [GOOD[0] + bytes(10_000_000), GOOD[1]],
}


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize("api", BOTH_APIS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_model_is_left_out_with_its_reason(api: Any, kind: str) -> None:
    replies = honest_replies()
    replies[3].model = HOSTILE[kind]
    way = api(weighting=Mean())
    model = way.run(START, replies)
    assert model is not None
    assert all(np.abs(array - 1).max() < 0.5 for array in model)
    left_out = {client.client: client for client in way.rounds[0].clients if client.left_out}
    assert list(left_out) == ["3"]
    assert left_out["3"].judged_malicious
    assert len(left_out["3"].reason) < 200, "a client does not write the log"
    assert left_out["3"].reason.isprintable()
    assert left_out["3"].reason == f"left out: {left_out['3'].left_out}"


def test_the_log_names_arrays_as_the_model_does(caplog: pytest.LogCaptureFixture) -> None:
    replies = honest_replies()
    replies[3].model = HOSTILE["a wrong shape"]
    named = AggregateTrain(names=["fc.weight", "fc.bias"])
    ways = {"fc.weight": named, "0": AggregateFit()}
    fair = strategies.message.FairAveraging(QFFL(q=1), min_available_nodes=1, min_train_nodes=1)
    for name, way in (*ways.items(), ("fc.weight", AggregateTrain(fair, ["fc.weight", "fc.bias"]))):
        caplog.clear()
        way.run(START, replies)
        assert f"left out client 3: array {name} has shape (5, 4) instead of (4, 5)" in caplog.text


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("api", BOTH_APIS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_the_model_is_kept_where_no_reply_can_be_used(api: Any, kind: str) -> None:
    way = api()
    assert way.run(START, [Reply(1, HOSTILE[kind]), Reply(2, HOSTILE[kind])]) is None
    assert all(client.judged_malicious for client in way.rounds[0].clients)
    assert len(way.rounds[0].clients) == 2


def test_bytes_far_beyond_the_expected_are_refused_before_they_are_looked_at() -> None:
    with pytest.raises(InvalidArray, match="is 20000 bytes long, at most 10160 are expected"):
        deserialize_expected(bytes(20_000), START[0])


def test_a_second_reply_of_the_same_node_is_left_out() -> None:
    replies = honest_replies()
    for reply in replies[:5]:
        reply.node = 1000
    way = AggregateFit(weighting=Mean(), performance=None)
    way.run(START, replies)
    clients = way.rounds[0].clients
    assert [client.left_out for client in clients[1:5]] == [
        "node 1000 has already replied in this round"
    ] * 4
    assert [client.weight for client in clients] == pytest.approx([1 / 6, 0, 0, 0, 0, *[1 / 6] * 5])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_infinity_is_refused_in_every_precision(dtype: Any, value: float) -> None:
    array = np.zeros(7, dtype)
    array[3] = value
    with pytest.raises(InvalidArray, match="NaN, infinity"):
        deserialize_expected(serialized(array), START[1])


@pytest.mark.parametrize("gap", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("api", BOTH_APIS)
def test_a_gap_that_is_no_finite_number_counts_as_missing(api: Any, gap: float) -> None:
    replies = honest_replies()
    replies[2].metrics["loss_gap"] = gap
    way = api(weighting=Mean())
    assert way.run(START, replies) is not None
    assert math.isnan(way.rounds[0].clients[2].loss_gap)
    weights = sorted(client.weight for client in way.rounds[0].clients)
    assert weights[0] < way.rounds[0].clients[2].weight < weights[-1]


@pytest.mark.parametrize("gap", ["0.5", True, 10**400, None, b"1", [0.5], np.float64(math.nan)])
def test_nor_is_anything_else_a_gap(gap: Any) -> None:
    assert math.isnan(reported_number({"loss_gap": gap}, "loss_gap"))
    assert math.isnan(reported_number({}, "loss_gap"))


@pytest.mark.parametrize("num_examples", [0, -5, 2**62])
@pytest.mark.parametrize("api", BOTH_APIS)
def test_the_number_of_examples_moves_nothing(api: Any, num_examples: int) -> None:
    honest, lying = honest_replies(), honest_replies()
    lying[3].num_examples = num_examples
    for a, b in zip(api().run(START, honest), api().run(START, lying), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("num_examples", [2.5, "7", None, [7]])
def test_a_number_of_examples_that_is_none_is_told_as_0(num_examples: Any) -> None:
    replies = honest_replies()
    replies[3].num_examples = num_examples
    way = AggregateFit()
    assert way.run(START, replies) is not None
    assert [client.num_examples for client in way.rounds[0].clients] == [10, 10, 10, 0, *[10] * 6]


@pytest.mark.parametrize("name", [-1, 2**20_000, 2**70, True, "3"], ids=type)
def test_an_absurd_name_is_no_name(name: Any) -> None:
    replies = honest_replies()
    replies[3].metrics["partition_id"] = name
    way = AggregateFit()
    assert way.run(START, replies) is not None
    assert {client.client for client in way.rounds[0].clients} >= {"0", "9"}


def test_nothing_is_computed_from_bytes_that_are_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    digest = client_replies._digest

    def noted(tensors: Any) -> bytes:
        hashed.append(sum(map(len, tensors)))
        return digest(tensors)

    monkeypatch.setattr(client_replies, "_digest", noted)
    replies = honest_replies()
    for reply in replies:
        del reply.metrics["partition_id"]
    replies[3].model = [bytes(10_000_000), GOOD[1]]
    AggregateFit().run(START, replies)
    assert len(hashed) == 9
    assert max(hashed) < 1000


@pytest.mark.parametrize("api", BOTH_APIS)
def test_somebodys_own_metrics_function_is_given_all_replies(api: Any) -> None:
    given: list[int] = []

    def count(replies: Any, *_: Any) -> Any:
        given.append(len(replies))
        return {}

    way = api(**{OWN_FUNCTION[api]: count})
    replies = honest_replies()
    replies[3].model = HOSTILE["NaN"]
    way.run(START, replies)
    assert given == [10]


OWN_FUNCTION = {AggregateFit: "fit_metrics_aggregation_fn", AggregateTrain: "train_metrics_aggr_fn"}


def test_metrics_that_break_the_users_function_do_not_end_the_round() -> None:
    def average(metrics: list[tuple[int, dict[str, Any]]]) -> dict[str, float]:
        return {"accuracy": sum(values["accuracy"] for _, values in metrics) / len(metrics)}

    replies = honest_replies()
    for reply in replies[1:]:
        reply.metrics["accuracy"] = 0.5
    way = AggregateFit(fit_metrics_aggregation_fn=average)
    assert way.run(START, replies) is not None
    assert way.metrics == {}
    replies[0].metrics["accuracy"] = 0.5
    way.run(START, replies)
    assert way.metrics == {"accuracy": 0.5}


@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.builds(lambda head, tail: head + tail, st.just(header((7,))), st.binary(max_size=40)),
        st.builds(
            lambda cut, at, byte: cut[:at] + bytes([byte]) + cut[at + 1 :],
            st.just(GOOD[1]),
            st.integers(0, len(GOOD[1]) - 1),
            st.integers(0, 255),
        ),
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_an_array_as_expected_or_refused(content: bytes) -> None:
    try:
        array = deserialize_expected(content, START[1])
    except InvalidArray:
        return
    assert array.shape == (7,)
    assert array.dtype.kind == "f"
    assert np.isfinite(array).all()


@given(
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=6),
    dtype=st.sampled_from(["<f2", ">f4", "<f4", "<f8", ">f8"]),
    fortran=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_arrays_come_back_as_they_were(values: list[float], dtype: str, fortran: bool) -> None:
    with np.errstate(over="ignore"):
        array = np.array([values, values], order="F" if fortran else "C").astype(dtype)
    array = array[:, (np.abs(array.astype(np.float64)) < 1e38).all(axis=0)]
    back = deserialize_expected(serialize_array(array, array.dtype), array)
    np.testing.assert_array_equal(back, array)
    assert back.dtype.isnative


def test_bfloat16_is_rounded_to_the_nearest() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=1000).astype(np.float32)
    back = deserialize_expected(serialize_array(values, BFLOAT16), values)
    assert np.all(np.abs(back - values) <= np.abs(values) * 2**-8)
    np.testing.assert_array_equal(
        deserialize_expected(serialize_array(back, BFLOAT16), back), back, "already bfloat16"
    )


def test_a_hostile_evaluation_does_not_end_an_aggregate_fit_run_either() -> None:
    def result(loss: float, num_examples: int) -> Any:
        return NamedProxy("1"), EvaluateRes(Status(Code.OK, ""), loss, num_examples, {})

    strategy = AggregateFit().strategy
    hostile = [result(math.nan, 5), result(1.0, 0), result(9.0, -3), result(math.inf, 1)]
    odd: list[Any] = [[1.0], "1", None, b"1", 10**400, 1e308, {}]
    hostile += [result(value, 5) for value in odd] + [result(1.0, value) for value in odd[:5]]
    assert strategy.aggregate_evaluate(1, [result(1.0, 5), *hostile], [])[0] == 1.0
    for each in hostile:
        assert strategy.aggregate_evaluate(1, [each], []) == (None, {})


@pytest.mark.mostly_slow(7)
@pytest.mark.parametrize("method", WEIGHTINGS)
@pytest.mark.parametrize("api", BOTH_APIS)
def test_updates_at_right_angles_end_no_run(api: Any, method: str) -> None:
    """One-hot updates where honest ones are zero: many eigenvalues are the same."""
    start = [np.zeros(400, dtype=np.float32)]
    random = np.random.default_rng(0)
    honest = [np.r_[np.zeros(200), random.normal(size=200)].astype(np.float32) for _ in range(80)]
    one_hot = [np.eye(1, 400, k, dtype=np.float32)[0] for k in range(20)]
    replies = [Reply(node, [model]) for node, model in enumerate([*one_hot, *honest])]
    assert api(weighting=weighting_named(method, epsilon=0.2)).run(start, replies) is not None


class Careless(Weighting):
    """Returns what it was made with."""

    def __init__(self, weights: Any) -> None:
        self.weights = weights

    def __call__(self, gramian: FloatArray) -> FloatArray:
        if isinstance(self.weights, Exception):
            raise self.weights
        return np.asarray(self.weights)


NO_WEIGHTS: list[Any] = [
    np.full(10, np.nan),
    np.full(10, 0.2),
    np.r_[-0.1, 1.1, np.zeros(8)],
    np.full(9, 1 / 9),
    IndexError("index 5 is out of bounds"),
]


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize("branches", [0, 2])
@pytest.mark.parametrize("api", BOTH_APIS)
@pytest.mark.parametrize("weights", NO_WEIGHTS, ids=repr)
def test_the_model_is_kept_where_aggregating_fails(
    api: Any, weights: Any, branches: int, caplog: pytest.LogCaptureFixture
) -> None:
    way = api(weighting=Careless(weights), branches=branches)
    assert way.run(START, honest_replies()) is None
    assert "aggregating the updates failed, the old model is kept" in caplog.text
    for client in way.rounds[0].clients:
        assert not client.judged_malicious, "nobody was judged"
        assert client.robust_weight == client.weight == 0, "nobody was aggregated"


@pytest.mark.parametrize("weights", NO_WEIGHTS[:4], ids=repr)
def test_a_weighting_that_returns_no_weights_is_named(weights: Any) -> None:
    with pytest.raises(ValueError, match=r"robust weights of .*Careless.* must be 10 non-negative"):
        aggregate(np.eye(10), Careless(weights))
