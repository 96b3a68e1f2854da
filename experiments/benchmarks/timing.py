"""Time several ways of doing the same thing side by side, so that a noisy machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pandas as pd


def compare(
    ways: Mapping[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> pd.DataFrame:
    """Time callables in turn, the same number of times each.

    Parameters
    ----------
    ways : mapping of str to callable
        The first one is the peer that the others are compared with.
    repeats : int
        Rounds over all of them, after one that is not counted.
    clock : callable, default ``time.perf_counter``
        ``time.process_time`` counts the processor's time in all threads, not what else it was busy with.

    Returns
    -------
    DataFrame
        One row each: ``seconds`` (median), ``fastest``, and ``ratio``: the median over the rounds of its
        time divided by the peer's in the same round.
    """
    for way in ways.values():
        way()
    seconds = pd.DataFrame(
        [{name: _timed(way, clock) for name, way in ways.items()} for _ in range(repeats)]
    )
    peer = seconds.columns[0]
    return pd.DataFrame(
        {
            "seconds": seconds.median(),
            "fastest": seconds.min(),
            "ratio": seconds.div(seconds[peer], axis=0).median(),
        }
    )


def _timed(way: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    way()
    return clock() - started
