"""Simulations whose clients do not train: stock Flower apps, and this project on its engines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from flwr.app import ArrayRecord, Context
from flwr.clientapp import ClientApp
from flwr.common import Metrics, NDArrays, ndarrays_to_parameters
from flwr.server import ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.superlink.fleet.vce.backend.backend import BackendConfig
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg as MessageFedAvg
from flwr.simulation import run_simulation
from threadpoolctl import threadpool_limits

from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.rounds.client_sampling import SeededClientManager
from pawbrofl_app.rounds.exchange import Exchange
from pawbrofl_app.rounds.flow_control import flow_control_of
from pawbrofl_app.rounds.round_policy import RoundPolicy
from pawbrofl_app.rounds.training_loop import TrainingLoop
from strategies import PAwBRoFL, RoundDiagnostics

from .idle_clients import client_app, initial_arrays, message_app


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


def our_loop(measured: Measured, grid: Grid, clients: int) -> TrainingLoop:
    """Return this project's loop with its default strategy."""
    strategy = PAwBRoFL(
        min_available_clients=clients,
        initial_parameters=ndarrays_to_parameters(initial_arrays()),
        evaluate_fn=measured.evaluate,
        fraction_evaluate=0.0,
        on_round=measured.aggregated,
        fit_metrics_aggregation_fn=measured.collect,
    )
    exchange = Exchange(grid, flow_control_of(grid))
    return TrainingLoop(
        exchange=exchange,
        clients=SeededClientManager(exchange, 1),
        strategy=strategy,
        policy=RoundPolicy(clients, 0, clients, 1),
    )


def ours(measured: Measured, clients: int, rounds: int) -> None:
    """Run this project's loop under Ray."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        with threadpool_limits(1, "blas"):
            our_loop(measured, grid, clients).run(rounds)

    _simulate(app, client_app, clients)


def in_process(measured: Measured, clients: int, rounds: int) -> None:
    """Run this project's loop in this process."""
    grid = InProcessGrid(client_app, {}, clients)
    with threadpool_limits(1, "blas"):
        our_loop(measured, grid, clients).run(rounds)


def _timed(measured: Measured, aggregate: Callable[..., Any]) -> Callable[..., Any]:
    """Return what aggregates and takes note of the seconds."""

    def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        aggregated = aggregate(*arguments)
        measured.aggregation.append(time.perf_counter() - began)
        return aggregated

    return timed


def stock(
    measured: Measured,
    clients: int,
    rounds: int,
    app: ClientApp = client_app,
    initial: NDArrays | None = None,
) -> None:
    """Run FedAvg of ``flwr.server.strategy`` under Ray, by default with clients that do not train."""
    model = ndarrays_to_parameters(initial or initial_arrays())

    def server_fn(context: Context) -> ServerAppComponents:
        strategy = FedAvg(
            min_available_clients=clients,
            initial_parameters=model,
            evaluate_fn=measured.evaluate,
            fraction_evaluate=0.0,
            min_evaluate_clients=0,
        )
        strategy.aggregate_fit = _timed(measured, strategy.aggregate_fit)  # type: ignore[method-assign]
        return ServerAppComponents(config=ServerConfig(rounds), strategy=strategy)

    _simulate(ServerApp(server_fn=server_fn), app, clients)


def stock_messages(measured: Measured, clients: int, rounds: int) -> None:
    """Run FedAvg of ``flwr.serverapp.strategy`` under Ray."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = MessageFedAvg(min_available_nodes=clients, fraction_evaluate=0.0)
        strategy.aggregate_train = _timed(measured, strategy.aggregate_train)  # type: ignore[method-assign]
        model = ArrayRecord(initial_arrays())
        strategy.start(grid, model, rounds, evaluate_fn=lambda *_: measured.evaluate())

    _simulate(app, message_app, clients)


OURS = "this project, Ray"
WAYS: dict[str, Callable[[Measured, int, int], None]] = {
    "Flower, aggregate_fit": stock,
    "Flower, Message API": stock_messages,
    OURS: ours,
    "this project, in process": in_process,
}


def _simulate(server_app: ServerApp, app: ClientApp, clients: int) -> None:
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
