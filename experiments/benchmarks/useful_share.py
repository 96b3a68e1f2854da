"""Which share of a paper-scale round is training: this project and a stock Flower app.

    python -m experiments.benchmarks.useful_share [--rounds 3]

MNIST on 100 clients of 600 images, 5 epochs of batches of 10, the paper's network; an actor for each
core. The share is what a bare loop over tensors needs for the training of all clients, divided by the
cores, over the wall time of a round. The bare loop is timed with as many at once as train in the round,
since cores share caches and memory, and alone on an otherwise idle machine. This project also
evaluates its model on 19,000 images in each round, and measures what clients gain on 100 of their images
(the preset's ``gap-samples``) or on all. The stock app does neither. In process, one core trains. Takes
about ten minutes.
"""

from __future__ import annotations

import argparse
import copy
import logging
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from clients.local_evaluation import mean_loss
from clients.model_arrays import arrays_of
from experiments.grid.markdown import markdown_table
from experiments.grid.study import PRESETS
from pawbrofl_app.records.layout import SECONDS
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.tasks.devices import processors
from pawbrofl_app.tasks.networks import initial_model

from .idle_simulations import Measured, stock
from .quickstart_client import BATCH_SIZE, EPOCHS, client_app
from .training_step import bare_epoch, client_samples

NUM_CLIENTS, SAMPLES_MEASURED = 100, 100
PRESET = PRESETS / "mnist.toml"


class BareSeconds(NamedTuple):
    """What one client takes on one thread: its bare training, and two passes over 100 or all images."""

    training: float
    few: float
    all: float


_start: Barrier | None = None


def _set_start(start: Barrier) -> None:
    global _start
    _start = start


def seconds_of_a_client(repeats: int = 4) -> BareSeconds:
    """Time one client's work, once all processes that do so at the same time are ready."""
    torch.set_num_threads(1)
    inputs, labels = client_samples()
    model = initial_model(0)
    bare_epoch(copy.deepcopy(model), inputs, labels)
    if _start is not None:
        _start.wait()
    taken = []
    for _ in range(repeats):
        own = copy.deepcopy(model)
        times = [time.perf_counter()]
        for _ in range(EPOCHS):
            bare_epoch(own, inputs, labels)
        times.append(time.perf_counter())
        for number in (SAMPLES_MEASURED, len(labels)):
            for _ in range(2):
                mean_loss(own, inputs[:number], labels[:number])
            times.append(time.perf_counter())
        taken.append(np.diff(times))
    return BareSeconds(*np.median(taken, axis=0).tolist())


def seconds_at_once(processes: int) -> BareSeconds:
    """Return the mean over clients that train at the same time, one a process."""
    context = get_context("spawn")
    start = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, _set_start, (start,)) as pool:
        clients = [pool.submit(seconds_of_a_client) for _ in range(processes)]
        each = [client.result() for client in clients]
    return BareSeconds(*np.mean(each, axis=0).tolist())


def rounds_of_ours(rounds: int, engine: str, gap_samples: int) -> list[float]:
    """Run this project's command; return the seconds of each round without the engine's start."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        settings = f"gap-samples={gap_samples} num-rounds={rounds} figures=false "
        settings += f"results-dir='{run.path}'"
        command = [sys.executable, "-m", "pawbrofl_app.command", "run", "--engine", engine]
        command += ["--run-config", str(PRESET), "--run-config", settings]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode:
            raise RuntimeError(finished.stdout + finished.stderr)
        if engine == "ray":
            print(finished.stdout.splitlines()[-1])
        recorded = run.rounds.set_index("round")[SECONDS]
    return list(recorded.loc[2 if engine == "ray" else 1 :].sum(axis=1))


def rounds_of_stock(rounds: int) -> list[float]:
    """Run a stock app with quickstart clients; return the seconds of each round but the first."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    measured = Measured()
    stock(measured, NUM_CLIENTS, rounds, client_app, arrays_of(initial_model(0)))
    return [float(seconds) for seconds in np.diff(measured.evaluated)[1:]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    cores = processors()
    bare: dict[int, list[BareSeconds]] = {1: [], cores: []}

    def time_bare_loops() -> None:
        for processes, those in bare.items():
            those.append(seconds_at_once(processes))

    ways: list[tuple[str, int, int, list[float]]] = []
    for engine, used, gap_samples in (
        ("ray", cores, SAMPLES_MEASURED),
        ("ray", cores, 0),
        ("in-process", 1, SAMPLES_MEASURED),
    ):
        time_bare_loops()
        name = f"this project, {engine}, gaps on {gap_samples or 'all'} images"
        seconds = rounds_of_ours(rounds if engine == "ray" else 1, engine, gap_samples)
        ways.append((name, used, gap_samples, seconds))
    time_bare_loops()
    ways.append(("stock Flower app", cores, -1, rounds_of_stock(rounds)))
    time_bare_loops()
    for processes, those in bare.items():
        training, few, all_images = np.median(those, axis=0)
        step = 1e3 * training / EPOCHS / (len(client_samples()[0]) / BATCH_SIZE)
        print(
            f"{processes} at once: bare training {training:.3f} s a client ({step:.2f} ms a step), "
            f"gap on {SAMPLES_MEASURED} images {few:.3f} s, on all {all_images:.3f} s"
        )
    print(f"\n{markdown_table(table_of_ways(ways, bare), digits=2)}")


def table_of_ways(
    ways: list[tuple[str, int, int, list[float]]], bare: dict[int, list[BareSeconds]]
) -> pd.DataFrame:
    """Return a row for each way: (name, cores, images that gaps are measured on, seconds of rounds)."""
    rows = []
    for name, used, gap_samples, seconds in ways:
        training, few, all_images = np.median(bare[used], axis=0)
        measuring = {SAMPLES_MEASURED: few, 0: all_images}.get(gap_samples, 0.0)
        a_round, clients = float(np.median(seconds)), NUM_CLIENTS / used
        rows.append(
            {
                "engine": name,
                "cores": used,
                "a round, s": a_round,
                "bare training, s": clients * training,
                "measuring gaps, s": clients * measuring,
                "useful share": clients * training / a_round,
                "with measuring gaps": clients * (training + measuring) / a_round,
                "by a bare loop alone": clients * np.median(bare[1], axis=0)[0] / a_round,
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
