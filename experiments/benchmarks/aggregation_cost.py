"""What one aggregation costs, relative to one matrix product of the same updates.

    python -m experiments.benchmarks.aggregation_cost [--scale] [--memory]

100 updates of the paper's network (319,520 float32 numbers each, as lists of arrays), one thread, tilt
included, beside Flower's Krum and, where it is installed, ByzFL's spectral filter. ``--scale`` adds
1,000 such updates on all cores, ``--memory`` the memory that 100 updates of 11.2 million numbers take
beside themselves (4.5 GB).
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from experiments.estimators.competitors import others
from strategies import WEIGHTINGS, Mean, PerformanceAware, aggregate
from strategies.weightings import RECOMMENDED, weighting_named

from .timing import compare

PAPERS_NETWORK = [(30, 1, 5, 5), (30,), (30, 30, 5, 5), (30,), (200, 1470), (200,), (10, 200), (10,)]
LARGE_NETWORK = [(512, 4608), (512, 4608), (512, 4608), (512, 4608), (512, 3457)]
EPSILON = 0.2


def updates_of(shapes: Sequence[tuple[int, ...]], m: int) -> list[list[NDArray[np.float32]]]:
    """Draw m updates, the first fifth of them with one offset in common."""
    random = np.random.default_rng(0)
    updates = []
    for i in range(m):
        update = [random.standard_normal(shape, dtype=np.float32) for shape in shapes]
        if i < EPSILON * m:
            for array in update:
                array += np.float32(0.2)
        updates.append(update)
    return updates


def ways(
    updates: list[list[NDArray[np.float32]]], matrix: NDArray[np.float32]
) -> dict[str, Callable[[], object]]:
    """Return what is timed, the peer that all are compared with first."""
    gaps = np.random.default_rng(1).uniform(0, 1, len(updates))
    tilt = PerformanceAware()

    def ours(name: str) -> Callable[[], object]:
        weighting = weighting_named(name, epsilon=EPSILON)
        return lambda: aggregate(updates, weighting, gaps, tilt)

    found: dict[str, Callable[[], object]] = {"Y @ Y.T": lambda: matrix @ matrix.T}
    found |= {name: ours(name) for name in WEIGHTINGS}
    peers = others(slow=True)
    found["Flower: Krum"] = lambda: peers["flwr multi-krum"](matrix, EPSILON)
    if "byzfl CAF" in peers:
        found["ByzFL: CAF"] = lambda: peers["byzfl CAF"](matrix, EPSILON)
    else:
        print("byzfl is not installed: its filter is left out")
    return found


def print_times(repeats: int) -> None:
    """Print the table of times and ratios, one thread."""
    updates = updates_of(PAPERS_NETWORK, 100)
    matrix = np.array([np.concatenate([array.reshape(-1) for array in update]) for update in updates])
    with threadpool_limits(limits=1):
        table = compare(ways(updates, matrix), repeats, clock=time.process_time)
    kernels = {f"{pool['internal_api']} {pool.get('architecture', '')}" for pool in threadpool_info()}
    print(
        f"{matrix.shape[0]} updates of {matrix.shape[1]:,} float32, one thread, processor time; "
        f"{', '.join(kernels)}"
    )
    print(table.round(3).to_string())
    recommended = float(table["seconds"].to_dict()[RECOMMENDED])
    for peer in table.index[len(WEIGHTINGS) + 1 :]:
        print(
            f"{RECOMMENDED} is {table['seconds'].to_dict()[peer] / recommended:.1f} x faster than {peer}"
        )


def print_scale() -> None:
    """Print the time of 1,000 updates on all cores."""
    updates = updates_of(PAPERS_NETWORK, 1000)
    gaps = np.random.default_rng(1).uniform(0, 1, 1000)
    for name in (RECOMMENDED, "filtering", "no-regret"):
        started = time.perf_counter()
        aggregate(updates, weighting_named(name, epsilon=EPSILON), gaps, PerformanceAware())
        print(f"1,000 updates, all cores, {name}: {time.perf_counter() - started:.1f} s")


def print_memory() -> None:
    """Print by how much aggregating raises the process's peak memory, relative to the updates."""
    aggregate(updates_of(PAPERS_NETWORK, 10), Mean())  # load what is imported with the first round
    updates = updates_of(LARGE_NETWORK, 100)
    size = sum(array.nbytes for update in updates for array in update)
    before = _peak_bytes()
    started = time.perf_counter()
    aggregate(updates, weighting_named(RECOMMENDED, epsilon=EPSILON), np.ones(100), PerformanceAware())
    seconds, extra = time.perf_counter() - started, _peak_bytes() - before
    print(
        f"100 updates of {size // 400:,} float32 ({size / 1e9:.1f} GB): {extra / 1e6:.0f} MB beside "
        f"them ({extra / size:.1%}), {seconds:.1f} s"
    )


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scale", action="store_true", help="1,000 updates as well")
    parser.add_argument("--memory", action="store_true", help="100 updates of 11.2 million as well")
    options = parser.parse_args()
    if options.memory:  # first: the peak only ever rises
        print_memory()
    print_times(options.repeats)
    if options.scale:
        print_scale()


if __name__ == "__main__":
    main()
