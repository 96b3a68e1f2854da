"""A local epoch: this project's training beside a bare loop and beside a quickstart's client.

    python -m experiments.benchmarks.training_step [--repeats 15]
    python -m experiments.benchmarks.training_step --networks [--repeats 5]

One client of the paper's setting (600 images of MNIST, batches of 10, the paper's network) on one
thread. The bare loop has its shuffled tensors at hand and does nothing but the steps, by PyTorch's fused
SGD; the quickstart's client has torchvision's data set, transforms and a ``DataLoader``, and the network
in PyTorch's usual memory format, or in this project's (channels last). Processor time.

With ``--networks``, every network beside a bare loop over it, without and with momentum 0.9 and weight
decay 0.0005: on random inputs of the kind that it is for, as many as take a few seconds.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from clients.local_training import LocalTraining, train
from experiments.grid.markdown import markdown_table
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.networks import initial_model

from .quickstart_client import BATCH_SIZE, LEARNING_RATE, loader_of, papers_network
from .quickstart_client import train as train_as_quickstart
from .timing import compare

SAMPLES = 600
GREY, COLOUR, ROWS = (1, 28, 28), (3, 32, 32), (105,)
NETWORK_CASES = (
    ("cnn", GREY, 300),
    ("cnn", COLOUR, 300),
    ("perceptron", GREY, 3000),
    ("perceptron", ROWS, 3000),
    ("small-perceptron", GREY, 3000),
    ("logistic", ROWS, 3000),
    ("resnet18", COLOUR, 20),
    ("resnet18-batch-norm", COLOUR, 20),
)
"""Network, shape of an input, and on how many."""


def bare_epoch(
    model: nn.Module, inputs: Tensor, labels: Tensor, momentum: float = 0.0, weight_decay: float = 0.0
) -> None:
    """Take the steps of one epoch and do nothing else."""
    optimizer = torch.optim.SGD(
        model.parameters(), LEARNING_RATE, momentum, weight_decay=weight_decay, fused=True
    )
    model.train()
    for start in range(0, len(labels), BATCH_SIZE):
        optimizer.zero_grad(set_to_none=True)
        batch = slice(start, start + BATCH_SIZE)
        functional.cross_entropy(model(inputs[batch]), labels[batch]).backward()
        optimizer.step()


def client_samples() -> tuple[Tensor, Tensor]:
    """Return the images and labels of one client."""
    part = load_task("mnist").train.select(np.arange(SAMPLES))
    return part.as_inputs(torch.device("cpu"))


def networks_table(repeats: int) -> pd.DataFrame:
    """Return what a step takes in a bare loop over each network, and the ratio to it."""
    rows = []
    for network, shape, samples in NETWORK_CASES:
        random = torch.Generator().manual_seed(0)
        inputs = torch.rand(samples, *shape, generator=random)
        labels = torch.randint(10, (samples,), generator=random)
        model = initial_model(0, network, shape, 10)
        row: dict[str, object] = {"network": network, "inputs": " x ".join(map(str, shape))}
        for momentum, decay, name in ((0.0, 0.0, ""), (0.9, 0.0005, ", momentum and decay")):
            table = compare(
                {
                    "bare": partial(_bare, model, inputs, labels, momentum, decay),
                    "ours": partial(_ours, model, inputs, labels, momentum, decay),
                },
                repeats,
                clock=time.process_time,
            )
            steps = -(-samples // BATCH_SIZE)
            row[f"bare loop, ms a step{name}"] = 1e3 * table["seconds"].to_dict()["bare"] / steps
            row[f"ratio{name}"] = table["ratio"].to_dict()["ours"]
        rows.append(row)
    return pd.DataFrame(rows)


def _bare(model: nn.Module, inputs: Tensor, labels: Tensor, momentum: float, decay: float) -> None:
    bare_epoch(copy.deepcopy(model), inputs, labels, momentum, decay)


def _ours(model: nn.Module, inputs: Tensor, labels: Tensor, momentum: float, decay: float) -> None:
    training = LocalTraining(1, BATCH_SIZE, LEARNING_RATE, momentum=momentum, weight_decay=decay)
    train(copy.deepcopy(model), inputs, labels, training, torch.Generator().manual_seed(0))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--networks", action="store_true", help="every network beside a bare loop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.networks:
        print(markdown_table(networks_table(options.repeats)))
        return
    inputs, labels = client_samples()
    loader = loader_of(range(SAMPLES))
    training = LocalTraining(1, BATCH_SIZE, LEARNING_RATE)
    model = initial_model(0)
    ways: dict[str, Callable[[], object]] = {
        "bare loop": lambda: bare_epoch(copy.deepcopy(model), inputs, labels),
        "this project": lambda: train(
            copy.deepcopy(model), inputs, labels, training, torch.Generator().manual_seed(0)
        ),
        "quickstart": lambda: train_as_quickstart(papers_network(), loader, 1),
        "quickstart, channels last": lambda: train_as_quickstart(copy.deepcopy(model), loader, 1),
    }
    table = compare(ways, options.repeats, clock=time.process_time)
    steps = SAMPLES / BATCH_SIZE
    shown = table.reset_index(names="client").rename(columns={"ratio": "relative to the bare loop"})
    shown.insert(1, "ms a step", 1e3 * shown["seconds"] / steps)
    print(markdown_table(shown))
    ratios = table["ratio"].to_dict()
    print(
        f"\na local epoch takes {ratios['this project']:.3f} x the bare loop's; "
        f"a quickstart's takes {ratios['quickstart'] / ratios['this project']:.2f} x as long as it"
    )


if __name__ == "__main__":
    main()
