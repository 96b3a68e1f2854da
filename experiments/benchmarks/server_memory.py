"""What aggregating takes beside the clients' replies: memory of the server, and time.

    python -m experiments.benchmarks.server_memory [--size "1,000 x 320k"] [--way NAME] [--repeats N]

Flower's ``FedAvg``, ``FedMedian`` and ``MultiKrum`` (``Krum`` in ``aggregate_fit`` projects) beside
`PAwBRoFL`, through both of Flower's APIs, each in a process of its own. Replies are what came over the
network: serialized float32 arrays, 2.2 GB for 50 models of 11.2 million parameters, 1.3 GB for 1,000 of
the paper's network; processes that copy all of them take three times as much, and Krum compares 1,000
replies in minutes. Memory is the peak of resident memory beside what was there before, which the kernel
counts anew when it is told to (Linux with glibc).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import flwr.server.strategy as fit_strategies
import flwr.serverapp.strategy as message_strategies
import numpy as np
import pandas as pd
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.common import Code, FitRes, Status, ndarrays_to_parameters
from flwr.server.client_manager import SimpleClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

import strategies.message
from strategies import PAwBRoFL

from .aggregation_cost import EPSILON, LARGE_NETWORK, PAPERS_NETWORK

Shapes = Sequence[tuple[int, ...]]

SIZES: dict[str, tuple[int, Shapes]] = {
    "50 x 11M": (50, LARGE_NETWORK),
    "1,000 x 320k": (1000, PAPERS_NETWORK),
}

WAYS: dict[str, Callable[[int], Any]] = {
    "aggregate_fit, FedAvg": lambda f: fit_strategies.FedAvg(),
    "aggregate_fit, FedMedian": lambda f: fit_strategies.FedMedian(),
    "aggregate_fit, MultiKrum": lambda f: fit_strategies.Krum(
        num_malicious_clients=f, num_clients_to_keep=4 * f
    ),
    "aggregate_fit, PAwBRoFL": lambda f: PAwBRoFL(epsilon=EPSILON),
    "Message API, FedAvg": lambda f: message_strategies.FedAvg(),
    "Message API, FedMedian": lambda f: message_strategies.FedMedian(),
    "Message API, MultiKrum": lambda f: message_strategies.MultiKrum(
        num_malicious_nodes=f, num_nodes_to_select=4 * f
    ),
    "Message API, PAwBRoFL": lambda f: strategies.message.PAwBRoFL(epsilon=EPSILON),
}


class NamedProxy(ClientProxy):
    """A client that is only a name."""

    get_properties = get_parameters = fit = evaluate = reconnect = None  # type: ignore[assignment]


class KnownNodes:
    """A grid that knows its nodes and delivers nothing."""

    def __init__(self, number: int) -> None:
        self.nodes = range(1, number + 1)

    def get_node_ids(self) -> list[int]:
        """Return the nodes."""
        return list(self.nodes)


def models(m: int, shapes: Shapes) -> Iterator[list[NDArray[np.float32]]]:
    """Yield a model that is sent, and then what m clients make of it, a fifth of them otherwise."""
    random = np.random.default_rng(0)
    start = [random.standard_normal(shape, dtype=np.float32) for shape in shapes]
    yield start
    for i in range(m):
        offset = np.float32(0.2 if i < EPSILON * m else 0)
        yield [a + random.standard_normal(a.shape, dtype=np.float32) + offset for a in start]


def through_fit(strategy: Any, m: int, shapes: Shapes) -> Callable[[], object]:
    """Return the aggregation of m replies in an ``aggregate_fit`` project."""
    of_clients = models(m, shapes)
    manager = SimpleClientManager()
    proxies = [NamedProxy(str(number)) for number in range(1, m + 1)]
    for proxy in proxies:
        manager.register(proxy)
    strategy.configure_fit(1, ndarrays_to_parameters(next(of_clients)), manager)
    results = [
        (proxy, FitRes(Status(Code.OK, ""), ndarrays_to_parameters(model), 10, {"loss_gap": 0.1}))
        for proxy, model in zip(proxies, of_clients, strict=True)
    ]
    return lambda: strategy.aggregate_fit(1, results, [])


def through_messages(strategy: Any, m: int, shapes: Shapes) -> Callable[[], object]:
    """Return the aggregation of m replies in a Message API project."""
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1
    of_clients = models(m, shapes)
    start, grid = ArrayRecord(next(of_clients)), cast(Grid, KnownNodes(m))
    asked = strategy.configure_train(1, start, ConfigRecord(), grid)
    metrics = MetricRecord({"num-examples": 10, "loss-gap": 0.1})
    replies = [
        Message(RecordDict({"arrays": ArrayRecord(model), "metrics": metrics}), reply_to=message)
        for message, model in zip(asked, of_clients, strict=True)
    ]
    return lambda: strategy.aggregate_train(1, replies)


def measure(way: str, size: str) -> dict[str, float]:
    """Return in this process what one aggregation takes beside the replies, and how long."""
    m, shapes = SIZES[size]
    through = through_fit if way.startswith("aggregate_fit") else through_messages
    through(WAYS[way](1), 10, [(5, 7)])()  # load what is imported with the first round
    aggregated = through(WAYS[way](int(EPSILON * m)), m, shapes)
    ctypes.CDLL(None).malloc_trim(0)  # else what making the replies left free would not be counted
    Path("/proc/self/clear_refs").write_text("5")
    before = _megabytes("VmHWM")
    clocks = time.perf_counter, time.process_time
    started = [clock() for clock in clocks]
    aggregated()
    seconds, of_processors = (clock() - begun for clock, begun in zip(clocks, started, strict=True))
    return {
        "there before, MB": before,
        "beside them, MB": _megabytes("VmHWM") - before,
        "seconds": seconds,
        "of processors": of_processors,
    }


def _megabytes(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    """Print the table of each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", choices=SIZES, action="append", help="by default both")
    parser.add_argument("--way", choices=WAYS, action="append", help="by default all")
    parser.add_argument("--repeats", type=int, default=1, help="processes of each; medians are printed")
    parser.add_argument("--here", action="store_true", help="measure one way in this process")
    options = parser.parse_args()
    if options.here:
        logging.disable(logging.WARNING)
        print(json.dumps(measure(options.way[0], options.size[0])))
        return
    for size in options.size or SIZES:
        rows = [
            {"way": way, **_apart(way, size)}
            for _ in range(options.repeats)
            for way in options.way or WAYS
        ]
        print(f"{size} float32 parameters")
        print(pd.DataFrame(rows).groupby("way", sort=False).median().round(1).to_string())


def _apart(way: str, size: str) -> dict[str, float]:
    module = "experiments.benchmarks.server_memory"
    command = [sys.executable, "-m", module, "--here", "--way", way, "--size", size]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return cast(dict[str, float], json.loads(finished.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
