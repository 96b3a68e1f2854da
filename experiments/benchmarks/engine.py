"""What a round costs beyond training: 100 clients that answer at once, a model of 319,520 parameters.

    python -m experiments.benchmarks.engine [--repeats 3] [--rounds 6] [--clients 100]

Stock Flower apps of both APIs (FedAvg) and this project's server run the same idle clients under
Flower's Ray engine, and this project's server also in process; whole simulations in turn, each in a
process of its own. A round is from one evaluation, of which there is nothing but the call, to the next;
a simulation's first one counts as its start. Two further tables say where the time goes.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from flwr.app import ArrayRecord, Context
from flwr.common import Metrics, ndarrays_to_parameters
from flwr.server import ServerAppComponents, ServerConfig
from flwr.server.compat import start_grid
from flwr.server.strategy import FedAvg
from flwr.server.superlink.fleet.vce.backend.backend import BackendConfig
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg as MessageFedAvg
from flwr.simulation import run_simulation
from threadpoolctl import threadpool_limits

from experiments.markdown import markdown_table
from pawbrofl_app.client_sampling import SeededClientManager
from pawbrofl_app.durable_server import DurableServer, Endurance
from pawbrofl_app.in_process_engine import InProcessGrid
from pawbrofl_app.progress import RunProgress
from pawbrofl_app.simulation_grid import simulation_grid
from strategies import PAwBRoFL, RoundDiagnostics

from .idle_clients import client_app, initial_arrays, message_app
from .message_cost import message_costs


@dataclass
class Measured:
    """What one simulation showed.

    Attributes
    ----------
    started : float
        When, in seconds of the clock, as all times here.
    evaluated : list of float
        When each round was over; round 0 first.
    processor : list of float
        The server process's processor time at these moments.
    clients : list of DataFrame
        For each round when each client held the model, and in which process.
    aggregation : list of float
        Seconds for each round.
    """

    started: float = field(default_factory=time.time)
    evaluated: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    clients: list[pd.DataFrame] = field(default_factory=list)
    aggregation: list[float] = field(default_factory=list)

    def evaluate(self, *_: Any) -> None:
        """Take note that a round is over."""
        self.evaluated.append(time.time())
        self.processor.append(time.process_time())

    def collect(self, metrics: list[tuple[int, Metrics]]) -> Metrics:
        """Take note of what clients report."""
        self.clients.append(pd.DataFrame([reported for _, reported in metrics]))
        return {}

    def aggregated(self, diagnostics: RoundDiagnostics) -> None:
        """Take note of what aggregation took."""
        self.aggregation.append(diagnostics.aggregation_seconds)


def our_server(measured: Measured, grid: Grid, clients: int, rounds: int) -> DurableServer:
    """Return this project's server with its default strategy."""
    strategy = PAwBRoFL(
        min_available_clients=clients,
        initial_parameters=ndarrays_to_parameters(initial_arrays()),
        evaluate_fn=measured.evaluate,
        fraction_evaluate=0.0,
        on_round=measured.aggregated,
        fit_metrics_aggregation_fn=measured.collect,
    )
    return DurableServer(
        client_manager=SeededClientManager(1),
        strategy=strategy,
        endurance=Endurance(clients, 0, clients, 1),
        progress=RunProgress(rounds),
        grid=grid,
    )


def ours(measured: Measured, clients: int, rounds: int) -> None:
    """Run this project's server under Ray."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        server = our_server(measured, grid, clients, rounds)
        with threadpool_limits(1, "blas"), simulation_grid(grid) as patient_grid:
            start_grid(grid=patient_grid, server=server, config=ServerConfig(rounds))

    _simulate(app, client_app, clients)


def in_process(measured: Measured, clients: int, rounds: int) -> None:
    """Run this project's server in this process."""
    grid = InProcessGrid(client_app, {}, clients)
    server = our_server(measured, grid, clients, rounds)
    with threadpool_limits(1, "blas"):
        start_grid(grid=grid, server=server, config=ServerConfig(rounds))


def stock(measured: Measured, clients: int, rounds: int) -> None:
    """Run FedAvg of ``flwr.server.strategy`` under Ray."""

    def server_fn(context: Context) -> ServerAppComponents:
        strategy = FedAvg(
            min_available_clients=clients,
            initial_parameters=ndarrays_to_parameters(initial_arrays()),
            evaluate_fn=measured.evaluate,
            fraction_evaluate=0.0,
            min_evaluate_clients=0,
        )
        return ServerAppComponents(config=ServerConfig(rounds), strategy=strategy)

    _simulate(ServerApp(server_fn=server_fn), client_app, clients)


def stock_messages(measured: Measured, clients: int, rounds: int) -> None:
    """Run FedAvg of ``flwr.serverapp.strategy`` under Ray."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = MessageFedAvg(min_available_nodes=clients, fraction_evaluate=0.0)
        model = ArrayRecord(initial_arrays())
        strategy.start(grid, model, rounds, evaluate_fn=lambda *_: measured.evaluate())

    _simulate(app, message_app, clients)


WAYS: dict[str, Callable[[Measured, int, int], None]] = {
    "Flower, aggregate_fit": stock,
    "Flower, Message API": stock_messages,
    "this project, Ray": ours,
    "this project, in process": in_process,
}


def _simulate(server_app: ServerApp, app: Any, clients: int) -> None:
    backend: BackendConfig = {
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        "init_args": {"log_to_driver": False, "logging_level": logging.ERROR},
    }
    run_simulation(server_app, app, clients, backend_config=backend)


def measure(way: str, clients: int, rounds: int) -> Measured:
    """Run one simulation."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    measured = Measured()
    WAYS[way](measured, clients, rounds)
    return measured


def table_of_rounds(simulations: dict[str, list[Measured]]) -> pd.DataFrame:
    """Return a row for each way: its start, its rounds, and what they cost the server's process."""
    rows = []
    for way, measured in simulations.items():
        rounds = np.concatenate([np.diff(one.evaluated)[1:] for one in measured])
        processor = np.concatenate([np.diff(one.processor)[1:] for one in measured])
        aggregation = [seconds for one in measured for seconds in one.aggregation[1:]]
        rows.append(
            {
                "engine": way,
                "first round, with the start, s": np.median(
                    [one.evaluated[1] - one.started for one in measured]
                ),
                "a round, s": np.median(rounds),
                "fastest": rounds.min(),
                "of it aggregation": np.median(aggregation) if aggregation else np.nan,
                "server's processor time, s": np.median(processor),
            }
        )
    return pd.DataFrame(rows)


def table_of_parts(measured: Sequence[Measured]) -> pd.DataFrame:
    """Return what the rounds of this project under Ray consist of, medians in seconds."""
    rows = []
    for one in measured:
        for number in range(1, len(one.clients)):
            clients = one.clients[number]
            begin, end = one.evaluated[number], one.evaluated[number + 1]
            first, last = clients["began"].min(), clients["ended"].max()
            held = (clients["ended"] - clients["began"]).sum() / clients["process"].nunique()
            rows.append(
                {
                    "until the first client has the model": first - begin,
                    "clients at work (per actor)": held,
                    "actors between two clients": last - first - held,
                    "from the last client to aggregation": end - last - one.aggregation[number],
                    "aggregation": one.aggregation[number],
                }
            )
    parts = pd.DataFrame(rows).median()
    return pd.DataFrame({"part of a round": parts.index, "seconds": parts.to_numpy()})


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--clients", type=int, default=100)
    options = parser.parse_args()
    simulations: dict[str, list[Measured]] = {way: [] for way in WAYS}
    context = multiprocessing.get_context("spawn")
    for _ in range(options.repeats):
        for way in WAYS:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                measured = pool.submit(measure, way, options.clients, options.rounds).result()
                simulations[way].append(measured)
    print(f"{options.clients} clients, {options.repeats} simulations of {options.rounds} rounds each\n")
    print(markdown_table(table_of_rounds(simulations), digits=2))
    print()
    print(markdown_table(table_of_parts(simulations["this project, Ray"])))
    print()
    print(markdown_table(message_costs(), digits=2))


if __name__ == "__main__":
    main()
