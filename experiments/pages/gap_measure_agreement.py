"""How far the cheaper measures of the optimality gap agree with the loss gained on all training data.

Twenty honest clients of 600 MNIST images each train for five rounds, and in every round each of them
measures its gap in all ways of the same training. The table shows, for equal shares and for Dirichlet
0.5, Spearman's rank correlation over the clients with the loss gained on all samples (mean and lowest of
the rounds: who is served worst is what the tilt goes by), and the mean gap relative to it. Takes about
four minutes.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import pandas as pd
from flwr.server.strategy.aggregate import aggregate as weighted_mean
from torch import nn

from clients.honest import HonestClient, batch_order
from clients.local_evaluation import gradient_norm, mean_loss
from clients.local_training import LocalTraining, train
from clients.model_arrays import arrays_of, load_arrays
from pawbrofl_app.client_app import honest_client, local_training
from pawbrofl_app.server_app import initial_model
from pawbrofl_app.settings.command_line import default_settings
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.devices import compute_reproducibly

from ..grid.markdown import markdown_table
from .page import Page

REFERENCE = "training"
SAMPLES_MEASURED = (200, 100, 50)
SETTINGS = {
    "dataset": "mnist",
    "training-samples": 12000,
    "num-clients": 20,
    "num-rounds": 5,
    "network": "cnn",
    "local-epochs": 5,
    "batch-size": 10,
    "learning-rate": 0.01,
}
PARTITIONS: dict[str, dict[str, object]] = {
    "iid": {"partition": "iid"},
    "Dirichlet 0.5": {"partition": "dirichlet", "dirichlet-alpha": 0.5},
}


def measures_table() -> str:
    """Measure, and return the table."""
    compute_reproducibly()
    tables = []
    for name, partition in PARTITIONS.items():
        config = RunConfig.parse(default_settings() | SETTINGS | partition)
        table = agreement(measured_gaps(config))
        table.insert(0, "partition", name)
        tables.append(table)
    return markdown_table(pd.concat(tables), digits=2)


def measured_gaps(config: RunConfig) -> pd.DataFrame:
    """Return each client's gap by every measure (columns), by round and client, in honest training."""
    model = initial_model(config)
    clients = [honest_client(config, client) for client in range(config.federation.num_clients)]
    rounds = []
    for server_round in range(1, config.federation.num_rounds + 1):
        trained = [copy.deepcopy(model) for _ in clients]
        rows = [
            gaps_of(own, client, local_training(config.training), server_round)
            for own, client in zip(trained, clients, strict=True)
        ]
        rounds.append(pd.DataFrame(rows).rename_axis("client"))
        replies = [
            (arrays_of(own), len(client.labels)) for own, client in zip(trained, clients, strict=True)
        ]
        load_arrays(model, weighted_mean(replies))
    return pd.concat(rounds, keys=range(1, config.federation.num_rounds + 1), names=["round"])


def gaps_of(
    model: nn.Module, client: HonestClient, training: LocalTraining, server_round: int
) -> dict[str, float]:
    """Train a model in place as a client does and return its gap by every measure."""
    inputs, labels = client.inputs, client.labels
    measured = {REFERENCE: training.measured_on(len(labels))} | {
        f"training, {number} samples": replace(training, gap_samples=number).measured_on(len(labels))
        for number in SAMPLES_MEASURED
    }

    def losses() -> dict[str, float]:
        return {name: mean_loss(model, inputs[on], labels[on]) for name, on in measured.items()}

    norm = gradient_norm(model, inputs, labels)
    before = losses()
    order = batch_order(client.seed, server_round, client.partition_id)
    first, last = train(model, inputs, labels, training, order)
    after = losses()
    gaps = {name: before[name] - after[name] for name in measured}
    return gaps | {"batches": first - last, "gradient-norm": norm}


def agreement(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return, a row a measure, how it goes with `REFERENCE`, of gaps as `measured_gaps` returns them."""
    by_round = gaps.groupby("round")
    ranks = pd.DataFrame(
        {number: each.corr(method="spearman")[REFERENCE] for number, each in by_round}
    ).drop(index=REFERENCE)
    means = by_round.mean()
    relative = means.div(means[REFERENCE], axis=0).mean()[ranks.index]
    return pd.DataFrame(
        {
            "gap-measure": ranks.index,
            "rank correlation": ranks.mean(axis=1).to_numpy(),
            "lowest": ranks.min(axis=1).to_numpy(),
            "relative size": relative.to_numpy(),
        }
    )


PAGE = Page("performance_reports.md", lambda _: {"measures": measures_table()}, measured=True)
