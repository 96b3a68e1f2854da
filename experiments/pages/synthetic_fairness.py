"""q-FFL against federated averaging on Synthetic(1, 1), as its authors published it.

    python -m experiments.pages.synthetic_fairness --csv experiments/recorded/synthetic_fairness.csv

Li, Sanjabi, Beirami, Smith, "Fair resource allocation in federated learning" (ICLR 2020): 100
devices, 60 features, 10 classes, logistic regression, 10 devices a round drawn by their share of the
samples, one local epoch of SGD with learning rate 0.1 and batches of 10. Data of Li et al., "Federated
optimization in heterogeneous networks" (MLSys 2020): device k labels ``x ~ N(v_k, diag(j^-1.2))`` by
``argmax(W_k x + b_k)``, with ``W_k, b_k ~ N(u_k, 1)``, ``u_k ~ N(0, alpha)``, ``v_k ~ N(B_k, 1)`` and
``B_k ~ N(0, beta)``. Every partition draws the data anew; 80% of each device's samples train the model
and 10% measure its accuracy there, as the authors' 10% for validation are not needed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pawbrofl_app.tasks.synthetic import NUM_CLASSES, NUM_FEATURES, client_data, client_sizes
from strategies.fairness import QFFL

from ..grid.markdown import markdown_table, mean_and_deviation
from .page import Page

NUM_DEVICES = 100
DEVICES_A_ROUND, BATCH_SIZE, LEARNING_RATE = 10, 10, 0.1
QS = (0.0, 1.0)
CSV = "synthetic_fairness.csv"
PUBLISHED = {
    0.0: {"average": 80.8, "worst 10%": 18.8, "variance": 724.0},
    1.0: {"average": 79.0, "worst 10%": 31.1, "variance": 472.0},
}

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Devices:
    """All devices, with their samples joined.

    Attributes
    ----------
    inputs : ndarray of shape (n, 61), float32
        Features, and a one for the bias.
    labels : ndarray of shape (n,)
    train, test : list of slice
        Each device's samples in these.
    """

    inputs: Samples
    labels: NDArray[np.intp]
    train: list[slice]
    test: list[slice]


def synthetic(
    random: np.random.Generator, size_spread: float, alpha: float = 1.0, beta: float = 1.0
) -> Devices:
    """Draw Synthetic(alpha, beta), with sizes of a log-normal spread, and split the samples."""
    sizes = client_sizes(random, NUM_DEVICES, size_spread)
    inputs, labels = [], []
    for drawn, own_labels in client_data(random, sizes, alpha, beta):
        inputs.append(np.hstack([drawn, np.ones((len(drawn), 1))]))
        labels.append(own_labels)
    starts = np.cumsum([0, *sizes[:-1]])
    cuts = [
        (int(start), int(start + 0.8 * size), int(start + 0.9 * size), int(start + size))
        for start, size in zip(starts, sizes, strict=True)
    ]
    return Devices(
        np.concatenate(inputs).astype(np.float32),
        np.concatenate(labels),
        [slice(start, fitted) for start, fitted, _, _ in cuts],
        [slice(validated, stop) for _, _, validated, stop in cuts],
    )


def trained(
    models: Samples, data: Devices, devices: Sequence[int], random: np.random.Generator
) -> Samples:
    """Return models after one epoch of SGD each, in lock-step, every device's batches in a random order.

    Parameters
    ----------
    models : ndarray of shape (k, 61, 10), float32
    data : Devices
    devices : sequence of k int
        Whose samples each model is trained on.
    random : numpy.random.Generator
    """
    own = [data.train[device] for device in devices]
    longest_first = sorted(range(len(own)), key=lambda i: own[i].start - own[i].stop)
    current = models[longest_first]
    lengths = np.array([own[i].stop - own[i].start for i in longest_first])
    padded = np.zeros((len(own), -(-lengths[0] // BATCH_SIZE) * BATCH_SIZE), np.intp)
    for row, i, length in zip(padded, longest_first, lengths, strict=True):
        row[:length] = own[i].start + random.permutation(length)
    one_hot = np.eye(NUM_CLASSES, dtype=np.float32)
    for start in range(0, lengths[0], BATCH_SIZE):
        active = int((lengths > start).sum())
        taken = padded[:active, start : start + BATCH_SIZE]
        left = np.minimum(lengths[:active] - start, BATCH_SIZE).astype(np.float32)[:, None, None]
        batch = data.inputs[taken]
        errors = probabilities(batch @ current[:active]) - one_hot[data.labels[taken]]
        errors *= (np.arange(BATCH_SIZE)[None, :, None] < left) * (np.float32(LEARNING_RATE) / left)
        current[:active] -= batch.transpose(0, 2, 1) @ errors
    models = np.empty_like(models)
    models[longest_first] = current
    return models


def probabilities(scores: Samples) -> Samples:
    """Return the softmax over the last axis."""
    exponentials: Samples = np.exp(scores - scores.max(axis=-1, keepdims=True))
    exponentials /= exponentials.sum(axis=-1, keepdims=True)
    return exponentials


def mean_loss(model: Samples, data: Devices, device: int) -> float:
    """Return a model's mean cross-entropy on a device's training samples."""
    own = data.train[device]
    labels = data.labels[own]
    found: Samples = probabilities(data.inputs[own] @ model)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(found, 1e-30)).mean())


def accuracies(model: Samples, data: Devices) -> NDArray[np.float64]:
    """Return a model's accuracy on each device's test samples, in percent."""
    right = (data.inputs @ model).argmax(axis=1) == data.labels
    return np.array([100 * right[own].mean() for own in data.test])


def measure(
    partition: int, size_spread: float, num_rounds: int, every: int
) -> Iterator[dict[str, float]]:
    """Train a model for each q on one partition; both see the same devices in every round.

    Yields one row for each of them, after every so many rounds.
    """
    random = np.random.default_rng([2020, partition])
    data = synthetic(random, size_spread)
    sizes = np.array([own.stop - own.start for own in data.train])
    rules = [QFFL(q, LEARNING_RATE) for q in QS]
    models = np.zeros((len(QS), NUM_FEATURES + 1, NUM_CLASSES), np.float32)
    for server_round in range(1, num_rounds + 1):
        drawn = random.choice(NUM_DEVICES, DEVICES_A_ROUND, replace=False, p=sizes / sizes.sum())
        devices = [int(device) for device in drawn]
        sent = np.repeat(models, DEVICES_A_ROUND, axis=0)
        updates = sent - trained(sent, data, devices * len(QS), random)
        for i, rule in enumerate(rules):
            flat = updates[i * DEVICES_A_ROUND :][:DEVICES_A_ROUND].reshape(DEVICES_A_ROUND, -1)
            flat = flat.astype(np.float64)
            losses = np.ones(DEVICES_A_ROUND)
            if rule.q:  # of federated averaging, F^0 = 1
                losses = np.array([mean_loss(models[i], data, device) for device in devices])
            weights, _ = rule.apply(np.empty(0), flat @ flat.T, losses)
            models[i] -= (weights @ flat).reshape(models[i].shape).astype(np.float32)
        if server_round % every == 0:
            for rule, model in zip(rules, models, strict=True):
                found = _spread(accuracies(model, data))
                where = {"size spread": size_spread, "partition": partition, "round": server_round}
                yield where | {"q": rule.q} | found


def _spread(found: NDArray[np.float64]) -> dict[str, float]:
    worst = np.sort(found)[: NUM_DEVICES // 10]
    numbers = {"average": found.mean(), "worst 10%": worst.mean(), "variance": found.var()}
    return {name: float(number) for name, number in numbers.items()}


def fairness_table(recorded: pd.DataFrame) -> str:
    """Return mean and standard deviation over partitions in the last round, beside what is published."""
    last = recorded[recorded["round"] == recorded["round"].max()]
    rows = []
    for q, part in last.groupby("q"):
        row: dict[str, object] = {"q": f"{q:g}" + (" (federated averaging)" if q == 0 else "")}
        for name in ("average", "worst 10%", "variance"):
            row[name] = mean_and_deviation(part[name], 1)
            row[f"{name}, published"] = f"{PUBLISHED[float(str(q))][name]:.1f}"
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write one row for each partition, q and checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--csv", type=Path, required=True, help="where to")
    parser.add_argument("--partitions", type=int, nargs="+", default=[1, 2, 3, 4, 5], metavar="N")
    parser.add_argument("--size-spread", type=float, default=0.8, help="of the logarithms of sizes")
    parser.add_argument("--rounds", type=int, default=20000)
    options = parser.parse_args(arguments)
    rows: list[dict[str, float]] = []
    for partition in options.partitions:
        for row in measure(
            partition, options.size_spread, options.rounds, every=max(1, options.rounds // 20)
        ):
            rows.append(row)
            pd.DataFrame(rows).round(3).to_csv(options.csv, index=False)


PAGE = Page("fairness.md", lambda recorded: {"synthetic": fairness_table(pd.read_csv(recorded / CSV))})

if __name__ == "__main__":
    main()
