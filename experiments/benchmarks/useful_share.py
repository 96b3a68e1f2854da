"""Which share of a paper-scale round is training: this project and a stock Flower app.

    python -m experiments.benchmarks.useful_share [--rounds 3]

MNIST on 100 clients of 600 images, 5 epochs of batches of 10, the paper's network; an actor for each
core. The share is what a bare loop over tensors needs for the training of all clients, divided by the
cores, over the wall time of a round. This project also evaluates its model on 19,000 images in each
round, and measures what clients gain on their data (``gap-measure = "training"``) or leaves that out
(``"batches"``). The stock app does neither. In process, one core trains. Takes about ten minutes.
"""

from __future__ import annotations

import argparse
import copy
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from flwr.app import Context
from flwr.common import ndarrays_to_parameters
from flwr.server import ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.superlink.fleet.vce.backend.backend import BackendConfig
from flwr.serverapp import ServerApp
from flwr.simulation import run_simulation

from clients.local_training import mean_loss
from clients.model_arrays import arrays_of
from experiments.markdown import markdown_table
from pawbrofl_app.machine import processors
from pawbrofl_app.model import initial_model

from .local_training import bare_epoch, client_samples
from .quickstart_client import BATCH_SIZE, EPOCHS, client_app

NUM_CLIENTS = 100
PRESET = Path(__file__).resolve().parent.parent / "presets" / "mnist.toml"
SECONDS = ["training_seconds", "aggregation_seconds", "evaluation_seconds"]


def seconds_of_a_client(repeats: int = 3) -> tuple[float, float]:
    """Return what one client's bare training and the measuring of its gap take on one thread."""
    torch.set_num_threads(1)
    inputs, labels = client_samples()
    model = initial_model(0)
    training, measuring = [], []
    for _ in range(repeats):
        own = copy.deepcopy(model)
        started = time.perf_counter()
        for _ in range(EPOCHS):
            bare_epoch(own, inputs, labels)
        trained = time.perf_counter()
        mean_loss(own, inputs, labels)
        mean_loss(own, inputs, labels)
        training.append(trained - started)
        measuring.append(time.perf_counter() - trained)
    return float(np.median(training)), float(np.median(measuring))


def rounds_of_ours(rounds: int, engine: str, gap_measure: str) -> list[float]:
    """Run this project's command; return the seconds of each round without the engine's start."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "run"
        settings = f"gap-measure='{gap_measure}' num-rounds={rounds} figures=false "
        settings += f"results-dir='{results}'"
        command = [sys.executable, "-m", "pawbrofl_app.command", "run", "--engine", engine]
        command += ["--run-config", str(PRESET), "--run-config", settings]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode:
            raise RuntimeError(finished.stdout + finished.stderr)
        if engine == "ray":
            print(finished.stdout.splitlines()[-1])
        recorded = pd.read_csv(results / "rounds.csv").set_index("round")[SECONDS]
    return list(recorded.loc[2 if engine == "ray" else 1 :].sum(axis=1))


def rounds_of_stock(rounds: int) -> list[float]:
    """Run a stock app with quickstart clients; return the seconds of each round but the first."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    ended: list[float] = []

    def server_fn(context: Context) -> ServerAppComponents:
        strategy = FedAvg(
            min_available_clients=NUM_CLIENTS,
            initial_parameters=ndarrays_to_parameters(arrays_of(initial_model(0))),
            evaluate_fn=lambda *_: ended.append(time.perf_counter()),
            fraction_evaluate=0.0,
            min_evaluate_clients=0,
        )
        return ServerAppComponents(config=ServerConfig(rounds), strategy=strategy)

    resources: BackendConfig = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
    run_simulation(ServerApp(server_fn=server_fn), client_app, NUM_CLIENTS, backend_config=resources)
    return [float(seconds) for seconds in np.diff(ended)[1:]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    cores = processors()
    bare = [seconds_of_a_client()]
    ways: list[tuple[str, int, list[float]]] = []
    for engine, used, gap in (
        ("ray", cores, "training"),
        ("ray", cores, "batches"),
        ("in-process", 1, "training"),
    ):
        name = f"this project, {engine}, gap-measure {gap}"
        ways.append((name, used, rounds_of_ours(rounds if engine == "ray" else 1, engine, gap)))
        bare.append(seconds_of_a_client())
    ways.append(("stock Flower app", cores, rounds_of_stock(rounds)))
    training, measuring = (float(value) for value in np.median(bare, axis=0))
    table = pd.DataFrame(
        [
            {
                "engine": name,
                "cores": used,
                "a round, s": np.median(seconds),
                "bare training, s": NUM_CLIENTS * training / used,
                "measuring gaps, s": NUM_CLIENTS * measuring * name.endswith("training") / used,
            }
            for name, used, seconds in ways
        ]
    )
    table["useful share"] = table["bare training, s"] / table["a round, s"]
    both = table["bare training, s"] + table["measuring gaps, s"]
    table["with measuring gaps"] = both / table["a round, s"]
    step = 1e3 * training / EPOCHS / (len(client_samples()[0]) / BATCH_SIZE)
    print(f"one client: bare training {training:.3f} s ({step:.2f} ms a step), gap {measuring:.3f} s\n")
    print(markdown_table(table, digits=2))


if __name__ == "__main__":
    main()
