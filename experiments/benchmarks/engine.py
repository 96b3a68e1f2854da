"""What a round costs beyond training: 100 clients that answer at once, 319,520 parameters.

    python -m experiments.benchmarks.engine [--repeats 3] [--rounds 6] [--client-seconds 0]

Stock Flower apps of both APIs (FedAvg) and this project's loop run the same idle clients under
Flower's Ray engine, and this project's loop also in process; whole simulations in turn, each in a
process of its own. A round is from one evaluation, of which there is nothing but the call, to the next;
a simulation's first one counts as its start. Two further tables say where the time goes. With clients
that sleep, the server's processor time is what the engine takes from those that would train.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

from experiments.grid.markdown import markdown_table

from .idle_clients import SECONDS_VARIABLE
from .idle_simulations import OURS, WAYS, Measured, measure
from .message_cost import message_costs


def table_of_rounds(simulations: dict[str, list[Measured]]) -> pd.DataFrame:
    """Return a row for each way: its start, its rounds, and what they cost the server's process."""
    rows = []
    for way, measured in simulations.items():
        rounds = np.concatenate([np.diff(one.evaluated)[1:] for one in measured])
        processor = np.concatenate([np.diff(one.processor)[1:] for one in measured])
        aggregation = np.concatenate([one.aggregation[1:] for one in measured])
        rows.append(
            {
                "engine": way,
                "first round, with the start, s": np.median(
                    [one.evaluated[1] - one.started for one in measured]
                ),
                "a round, s": np.median(rounds),
                "fastest": rounds.min(),
                "of it aggregation": np.median(aggregation),
                "without it": np.median(rounds - aggregation),
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
    parser.add_argument("--client-seconds", type=float, default=0.0, help="how long a client sleeps")
    options = parser.parse_args()
    os.environ[SECONDS_VARIABLE] = str(options.client_seconds)
    simulations: dict[str, list[Measured]] = {way: [] for way in WAYS}
    context = multiprocessing.get_context("spawn")
    for _ in range(options.repeats):
        for way in WAYS:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                measured = pool.submit(measure, way, options.clients, options.rounds).result()
                simulations[way].append(measured)
    print(
        f"{options.clients} clients that take {options.client_seconds} s each, {options.repeats} "
        f"simulations of {options.rounds} rounds\n"
    )
    print(markdown_table(table_of_rounds(simulations), digits=2))
    print()
    print(markdown_table(table_of_parts(simulations[OURS])))
    print()
    print(markdown_table(message_costs(), digits=2))


if __name__ == "__main__":
    main()
