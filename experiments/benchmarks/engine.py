"""What a round costs beyond training: 100 clients that answer at once, a model of 319,520 parameters.

    python -m experiments.benchmarks.engine [--repeats 3] [--rounds 6]

Stock Flower apps of both APIs (FedAvg) and this project's server run the same idle clients under
Flower's Ray engine, and this project's also in process; whole simulations in turn. A round is from one
evaluation to the next, the first one is left out. A second table says where the time goes.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from flwr.app import ArrayRecord, Context
from flwr.common import ndarrays_to_parameters
from flwr.server import ServerAppComponents, ServerConfig
from flwr.server.compat import start_grid
from flwr.server.strategy import FedAvg
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg as MessageFedAvg
from flwr.simulation import run_simulation

from pawbrofl_app.client_sampling import SeededClientManager
from pawbrofl_app.durable_server import DurableServer, Endurance
from pawbrofl_app.in_process_engine import InProcessGrid
from pawbrofl_app.progress import RunProgress
from pawbrofl_app.simulation_grid import simulation_grid
from strategies import PAwBRoFL, RoundDiagnostics

from .idle_clients import client_app, initial_arrays, message_app


@dataclass
class Measured:
    """What one simulation showed."""

    started: float = field(default_factory=time.perf_counter)
    evaluated: list[float] = field(default_factory=list)
    answers: list[pd.DataFrame] = field(default_factory=list)
    diagnostics: list[RoundDiagnostics] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def evaluate(self, *_: Any) -> None:
        """Note that a round is over."""
        self.evaluated.append(time.perf_counter())
        self.processor.append(time.process_time())

    @property
    def rounds(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.diff(self.evaluated)[1:]


def ours(measured: Measured, clients: int, rounds: int) -> ServerApp:
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        with simulation_grid(grid) as patient:
            start_grid(
                grid=patient, server=our_server(measured, clients, rounds), config=ServerConfig(rounds)
            )

    return app


def our_server(measured: Measured, clients: int, rounds: int) -> DurableServer:
    strategy = PAwBRoFL(
        min_available_clients=clients,
        initial_parameters=ndarrays_to_parameters(initial_arrays()),
        evaluate_fn=measured.evaluate,
        fraction_evaluate=0.0,
        on_round=measured.diagnostics.append,
        fit_metrics_aggregation_fn=None,
    )
    return DurableServer(
        client_manager=SeededClientManager(1),
        strategy=strategy,
        endurance=Endurance(clients, 0, clients, 1),
        progress=RunProgress(rounds),
    )


def stock(measured, clients, rounds):
    def server_fn(context):
        return ServerAppComponents(
            config=ServerConfig(rounds),
            strategy=FedAvg(
                min_available_clients=clients,
                initial_parameters=ndarrays_to_parameters(initial_arrays()),
                evaluate_fn=measured.evaluate,
                fraction_evaluate=0.0,
                min_evaluate_clients=0,
            ),
        )

    return ServerApp(server_fn=server_fn)


def stock_message(measured, clients, rounds):
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = MessageFedAvg(min_available_nodes=clients, fraction_evaluate=0.0)
        strategy.start(grid, ArrayRecord(initial_arrays()), rounds, evaluate_fn=measured.evaluate)

    return app


if __name__ == "__main__":
    import sys

    logging.getLogger("flwr").setLevel(logging.WARNING)
    way, clients, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    m = Measured()

    def go():
        if way == "in-process":
            grid = InProcessGrid(client_app, {}, clients)
            start_grid(grid=grid, server=our_server(m, clients, rounds), config=ServerConfig(rounds))
        else:
            make = {"ours": ours, "stock": stock, "message": stock_message}[way]
            run_simulation(
                make(m, clients, rounds),
                message_app if way == "message" else client_app,
                clients,
                backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
            )

    go()
    print(way, "start", m.evaluated[0] - m.started, np.diff(m.evaluated), np.diff(m.processor))
    for d in m.diagnostics[-1:]:
        print(d.training_seconds, d.aggregation_seconds)
