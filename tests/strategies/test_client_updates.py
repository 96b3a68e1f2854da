"""Updates computed where they are read: the bits of updates that are held, without the memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.app import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import CoalitionFiltering, PerformanceAware, aggregate
from strategies.arrays import difference
from strategies.updates import COORDINATES_AT_ONCE, ClientUpdates

from .one_round import BOTH_APIS, AggregateFit, Model, NamedProxy, Reply

SHAPES = [(3, 5), (), (2000,), (0, 4), (17, 60)]
DTYPES = st.sampled_from([np.float16, np.float32, np.float64])


@given(
    seed=st.integers(0, 2**32),
    sent=st.lists(DTYPES, min_size=5, max_size=5),
    trained=st.lists(DTYPES, min_size=8, max_size=8),
    common=st.sampled_from([0.0, 50.0]),
    block_size=st.sampled_from([None, 1000]),
)
@settings(max_examples=8, deadline=None)
def test_they_are_the_updates_of_models_bit_for_bit(
    seed: int, sent: list[Any], trained: list[Any], common: float, block_size: int | None
) -> None:
    """In whatever precision, also where all move so far together that float32 is too short."""
    random = np.random.default_rng(seed)
    start = [
        np.asarray(random.normal(size=shape), dtype) for shape, dtype in zip(SHAPES, sent, strict=True)
    ]
    models = [
        [np.asarray(array + common + random.normal(size=array.shape), dtype) for array in start]
        for dtype in trained
    ]
    held = [[difference(a, b) for a, b in zip(start, model, strict=True)] for model in models]
    gaps = random.uniform(size=8)
    way = (CoalitionFiltering(0.2), gaps, PerformanceAware(), block_size)
    expected, found = aggregate(held, *way), aggregate(ClientUpdates.of_models(start, models), *way)
    np.testing.assert_array_equal(found.weights, expected.weights)
    for a, b in zip(found.mean, expected.mean, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_models_of_other_shapes_than_the_start_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the start's shapes \[\(3,\)\], got \[\(4,\)\]"):
        ClientUpdates.of_models([np.zeros(3)], [[np.zeros(4)]])


def received(way: Any, start: Model, replies: list[Reply]) -> Callable[[], object]:
    """Return the aggregation of replies that have come in, as bytes."""
    nodes = [reply.node for reply in replies]
    if isinstance(way, AggregateFit):
        way.num_asked(start, nodes)
        results = [(NamedProxy(str(reply.node)), way.result(reply)) for reply in replies]
        return lambda: way.strategy.aggregate_fit(1, results, [])
    asked = way.messages(start, nodes)
    answers = [Message(way.content(reply), reply_to=asked[reply.node]) for reply in replies]
    return lambda: way.strategy.aggregate_train(1, answers)


@pytest.mark.mostly_slow(8)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"branches": 2}, {"block_size": 100_000}], ids=str)
@pytest.mark.parametrize("api", BOTH_APIS)
def test_a_round_takes_the_memory_of_a_few_models_beside_the_replies(
    api: Any, options: Any, dtype: Any
) -> None:
    """Not of thirty, as where the updates, or the arrays in the replies, were copied."""
    random = np.random.default_rng(0)
    start = [random.normal(size=(1000, 200)).astype(dtype), random.normal(size=1000).astype(dtype)]
    replies = [
        Reply(n, [a + random.normal(size=a.shape).astype(dtype) for a in start]) for n in range(30)
    ]
    aggregated = received(api(**options), start, replies)
    tracemalloc.start()
    try:
        aggregated()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    block = 30 * COORDINATES_AT_ONCE * 8
    assert peak < 6 * sum(array.nbytes for array in start) + 2 * block
