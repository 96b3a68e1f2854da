"""Does the tilt turn the aggregate away from what honest clients want? Cosines, for every attack.

Honest training on digits gives a global model for every round. In each round all clients send what they
would, the malicious ones attack, and No-Regret aggregates the same updates four ways: without a tilt,
with the bounded tilt, with equation (8) as printed, and with the bounded tilt on honest reports. The
table shows the mean cosine to the honest clients' mean update, and the malicious clients' mean share of
the final weights.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from clients.malicious import MaliciousClient
from clients.model_arrays import arrays_of
from pawbrofl_app.client_app import client_of, honest_client
from pawbrofl_app.roles import malicious_clients
from pawbrofl_app.server_app import initial_model
from pawbrofl_app.settings.command_line import default_settings
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.devices import compute_reproducibly
from strategies import Aggregation, PerformanceAware, aggregate
from strategies.weightings import weighting_named

from ..grid.markdown import markdown_table
from .page import Page

SETTINGS = {
    "aggregator": "no-regret",
    "network": "perceptron",
    "local-epochs": 1,
    "batch-size": 4,
    "num-rounds": 12,
}
ATTACKS = (
    "label-flip",
    "dba",
    "stealthy-dba",
    "ipm",
    "alie",
    "min-max",
    "mimic",
)
REPORTS = ("", "+inflated-report", "+colluding-report")
Update = list[np.ndarray[Any, Any]]


def direction_table() -> str:
    """Measure, and return the table."""
    logging.disable(logging.INFO)
    compute_reproducibly()
    settings = default_settings() | SETTINGS
    models = honest_models(RunConfig.parse(settings | {"attack": "none"}))
    rows = [
        {"attack": attack + report}
        | measure(RunConfig.parse(settings | {"attack": attack + report}), models)
        for attack in ATTACKS
        for report in REPORTS
    ]
    return markdown_table(pd.DataFrame(rows))


def honest_models(config: RunConfig) -> list[Update]:
    """Return the global model at the start of every round of training without malicious clients."""
    models = [arrays_of(initial_model(config))]
    clients = [honest_client(config, client) for client in range(config.federation.num_clients)]
    for server_round in range(1, config.federation.num_rounds):
        trained = [client.honest_training(models[-1], server_round)[0] for client in clients]
        models.append([np.mean(arrays, axis=0) for arrays in zip(*trained, strict=True)])
    return models


def measure(config: RunConfig, models: Sequence[Update]) -> dict[str, float]:
    """Return mean cosines and weight shares over the rounds of one attack."""
    rows = []
    for server_round, model in enumerate(models, start=1):
        updates, gaps, honest_gaps = replies(config, model, server_round)
        malicious = malicious_clients(config)
        honest = [client for client in range(config.federation.num_clients) if client not in malicious]
        target = updates[honest].mean(axis=0)
        weighting = weighting_named(config.aggregation.aggregator, epsilon=config.aggregation.epsilon)
        bounded = PerformanceAware(config.tilt.mu, config.aggregation.epsilon)
        aggregations = {
            "no tilt": aggregate(updates, weighting),
            "bounded": aggregate(updates, weighting, gaps, bounded),
            "as printed": aggregate(updates, weighting, gaps, replace(bounded, bound_reports=False)),
            "honest reports": aggregate(updates, weighting, honest_gaps, bounded),
        }
        rows.append(_row(aggregations, target, malicious))
    return dict(pd.DataFrame(rows).mean())


def _row(
    aggregations: dict[str, Aggregation[Any]], target: np.ndarray[Any, Any], malicious: list[int]
) -> dict[str, float]:
    row = {}
    for name, aggregation in aggregations.items():
        lengths = np.linalg.norm(aggregation.mean) * np.linalg.norm(target)
        row[f"cosine, {name}"] = float(aggregation.mean @ target / lengths)
    for name, aggregation in aggregations.items():
        row[f"share, {name}"] = float(aggregation.weights[malicious].sum() / aggregation.weights.sum())
    return row


def replies(
    config: RunConfig, model: Update, server_round: int
) -> tuple[np.ndarray[Any, Any], list[float], list[float]]:
    """Return what all clients send: updates (m, d), reported gaps, and the gaps of honest training."""
    updates, gaps, honest_gaps = [], [], []
    for number in range(config.federation.num_clients):
        client = client_of(config, number)
        sent, _, metrics = client.fit(model, {"server_round": server_round})
        updates.append(np.concatenate([(a - b).ravel() for a, b in zip(model, sent, strict=True)]))
        gaps.append(float(metrics["loss_gap"]))
        honest_gap = gaps[-1]
        if isinstance(client, MaliciousClient):
            honest_gap = client.honest_training(model, server_round)[1].loss_gap
        honest_gaps.append(honest_gap)
    return np.stack(updates), gaps, honest_gaps


PAGE = Page("performance_reports.md", lambda _: {"direction": direction_table()}, measured=True)
