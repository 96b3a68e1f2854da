"""The ServerApp: checks the settings, trains with PAwBRoFL, evaluates, and writes the records."""

from __future__ import annotations

import time
from logging import INFO
from typing import Any

from flwr.common import Context, FitIns, NDArrays, Parameters, Scalar, ndarrays_to_parameters
from flwr.common.logger import log
from flwr.server import ServerConfig
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.compat import start_grid
from flwr.server.strategy import FedAvg
from flwr.serverapp import Grid, ServerApp

from clients.model_arrays import arrays_of, load_arrays
from strategies import PAwBRoFL
from strategies.weightings import weighting_named

from .baselines import baseline
from .client_roles import evaluated_backdoor, malicious_clients
from .client_sampling import CLIENT_ID_KEY, SeededClientManager
from .datasets import load_dataset
from .devices import training_device
from .evaluation import evaluate
from .figures import draw_figures
from .model import initial_model
from .partitions import client_indices
from .progress import RunProgress
from .records import RunRecords
from .run_config import BASELINES, RunConfig
from .summary import RunSummary
from .tilt import tilt_of

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run one federated training from the run config to the finished records."""
    config = RunConfig.parse(context.run_config)
    check_machine(config)
    malicious = malicious_clients(config)
    records = RunRecords(config, malicious)
    log(INFO, "Results go to %s", records.folder)
    model = initial_model(config.seed, config.network)
    start_grid(
        grid=grid,
        config=ServerConfig(num_rounds=config.num_rounds),
        strategy=make_strategy(config, records, arrays_of(model)),
        client_manager=SeededClientManager(config.seed),
    )
    finish(config, records, malicious)


def check_machine(config: RunConfig) -> None:
    """Find the device and load (or download) and split the data, so that what is amiss shows early."""
    training_device(config.device)
    load_dataset(config.dataset, config.data_dir)
    client_indices(config)


def make_strategy(config: RunConfig, records: RunRecords, initial_arrays: NDArrays) -> FedAvg:
    """Return the strategy that the settings describe, recording and evaluating every round."""
    model = initial_model(config.seed, config.network)
    device = training_device(config.device)
    images, labels = load_dataset(config.dataset, config.data_dir).test.as_inputs(device)
    model.to(device)

    def evaluate_round(
        server_round: int, arrays: NDArrays, _: dict[str, Scalar]
    ) -> tuple[float, dict[str, Scalar]]:
        started = time.perf_counter()
        load_arrays(model, arrays)
        result = evaluate(model, images, labels, *evaluated_backdoor(config))
        records.add_round(server_round, result, time.perf_counter() - started)
        if server_round == config.num_rounds:
            records.save_model(model)
        return result.loss, {
            "accuracy": result.accuracy,
            "attack_success_rate": result.attack_success_rate,
        }

    flower_options: dict[str, Any] = {
        "fraction_fit": config.fraction_fit,
        "fraction_evaluate": 0.0,
        "min_fit_clients": 1,
        "min_evaluate_clients": 0,
        "min_available_clients": config.num_clients,
        "initial_parameters": ndarrays_to_parameters(initial_arrays),
        "evaluate_fn": evaluate_round,
        "on_fit_config_fn": lambda server_round: {"server_round": server_round},
    }
    if config.aggregator in BASELINES:
        return baseline(config, records.add_clients, flower_options)
    return TrackedPAwBRoFL(
        RunProgress(config.num_rounds),
        epsilon=config.epsilon,
        weighting=weighting_named(config.aggregator, epsilon=config.epsilon),
        performance=tilt_of(config),
        server_learning_rate=config.server_learning_rate,
        block_size=config.block_size or None,
        client_id_key=CLIENT_ID_KEY,
        on_round=records.add_clients,
        **flower_options,
    )


class TrackedPAwBRoFL(PAwBRoFL):
    """The strategy, with progress lines between rounds and while a round's clients train."""

    def __init__(self, run_progress: RunProgress, **options: Any) -> None:
        super().__init__(**options)
        self.run_progress = run_progress

    def configure_fit(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, FitIns]]:
        """Sample clients and count their replies as they come in."""
        self.run_progress.start_round(server_round)
        instructions = super().configure_fit(server_round, parameters, client_manager)
        return self.run_progress.watch(server_round, instructions)


def finish(config: RunConfig, records: RunRecords, malicious: list[int]) -> None:
    """Draw the figures if asked to, write the summary and log it.

    Raises
    ------
    RuntimeError
        Where no client's reply arrived in any round.
    """
    if not records.has_clients:
        raise RuntimeError("no client's reply arrived in any round; the log above says why")
    rounds, clients = records.rounds, records.clients
    if config.figures:
        draw_figures(rounds, clients, records.folder / "figures")
    summary = RunSummary.of(rounds, clients, malicious)
    summary.save(records.folder / "summary.json")
    log(INFO, "")
    log(INFO, "[RESULT]")
    for line in summary.lines(config, records.folder):
        log(INFO, "\t%s", line)
