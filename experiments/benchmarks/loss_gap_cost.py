"""What measuring the optimality gap costs a client, relative to its training.

    python -m experiments.benchmarks.loss_gap_cost

One client of the paper's setting (600 images, 5 epochs, batches of 10, one thread) trains without and
with the two passes over its samples from which the gap is computed.
"""

from __future__ import annotations

import argparse
import copy

import torch

from clients.local_evaluation import mean_loss
from clients.local_training import LocalTraining, train, train_and_measure
from pawbrofl_app.tasks.networks import initial_model

from .timing import compare


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(0)
    images = torch.rand(options.samples, 1, 28, 28, generator=random)
    labels = torch.randint(10, (options.samples,), generator=random)
    training = LocalTraining(epochs=5, batch_size=10, learning_rate=0.01)
    model = initial_model(0)
    order = torch.Generator()
    table = compare(
        {
            "training alone": lambda: train(copy.deepcopy(model), images, labels, training, order),
            "training and gap": lambda: train_and_measure(
                copy.deepcopy(model), images, labels, training, order
            ),
            "one pass over the samples": lambda: mean_loss(model, images, labels),
        },
        options.repeats,
    )
    print(f"one client, {options.samples} samples, 5 epochs, batch 10, one thread")
    print(table.round(3).to_string())
    extra = table["ratio"].to_dict()["training and gap"] - 1
    print(f"measuring the optimality gap adds {extra:.1%} to the time of training")


if __name__ == "__main__":
    main()
