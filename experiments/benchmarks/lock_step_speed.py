"""Clients one after the other and in lock-step, by their number.

    python -m experiments.benchmarks.lock_step_speed [--device cuda] [--clients 10 100 1000]

Each client trains the paper's network on images of its own in batches of 10 and measures its optimality
gap. On a CPU the default is a tenth of the paper's samples and one epoch.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence

import pandas as pd
import torch

from clients.local_training import LocalTraining, train_and_measure
from clients.lock_step import ClientSamples, train_in_lock_step
from experiments.grid.markdown import markdown_table
from pawbrofl_app.engines.cohorts import DEFAULT_SIZE
from pawbrofl_app.tasks.devices import compute_reproducibly
from pawbrofl_app.tasks.networks import initial_model

from .timing import compare


def cohort_of(clients: int, samples: int, device: torch.device) -> list[ClientSamples]:
    """Draw images and labels for some clients."""
    random = torch.Generator().manual_seed(0)
    return [
        ClientSamples(
            torch.rand(samples, 1, 28, 28, generator=random).to(device),
            torch.randint(10, (samples,), generator=random).to(device),
            torch.Generator().manual_seed(client),
        )
        for client in range(clients)
    ]


def seconds_of(
    clients: Sequence[ClientSamples], training: LocalTraining, size: int, repeats: int
) -> pd.DataFrame:
    """Time both ways of training some clients."""
    model = initial_model(0).to(clients[0].inputs.device)

    def one_by_one() -> None:
        for client in clients:
            own = copy.deepcopy(model)
            train_and_measure(own, client.inputs, client.labels, training, client.generator)

    def in_lock_step() -> None:
        for start in range(0, len(clients), size):
            train_in_lock_step(model, clients[start : start + size], training)

    return compare({"one by one": one_by_one, "in lock-step": in_lock_step}, repeats)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clients", type=int, nargs="+")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--cohort-size", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    compute_reproducibly()
    device = torch.device(options.device)
    on_gpu = device.type == "cuda"
    samples = options.samples or (600 if on_gpu else 60)
    training = LocalTraining(options.epochs or (5 if on_gpu else 1), 10, 0.01)
    size = options.cohort_size or DEFAULT_SIZE["cuda"]
    rows = []
    for clients in options.clients or ([10, 100, 1000] if on_gpu else [1, 10, 30]):
        table = seconds_of(cohort_of(clients, samples, device), training, size, options.repeats)
        seconds, ratio = table["seconds"].to_dict(), table["ratio"].to_dict()
        rows.append(
            {
                "clients": clients,
                "one by one, s": seconds["one by one"],
                "in lock-step, s": seconds["in lock-step"],
                "ratio": ratio["in lock-step"],
            }
        )
    name = torch.cuda.get_device_name(device) if on_gpu else "one thread of the CPU"
    print(f"{samples} samples, {training.epochs} epochs, batches of 10, cohorts of {size}, {name}\n")
    print(markdown_table(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
