"""PAwBRoFL as a Flower strategy for ``flwr.server.strategy`` projects.

Algorithm 3 of PAwBRoFL (Fernando, Xiong, Patel, Stoll): the server weighs the clients' updates
robustly, tilts the weights towards the clients that are served worst, and keeps the robust update's
magnitude. Thin over `strategies.server_step`, which does it on arrays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from logging import INFO, WARNING
from typing import TypedDict, Unpack

import numpy as np
from flwr.common import (
    FitIns,
    FitRes,
    MetricsAggregationFn,
    NDArrays,
    Parameters,
    Scalar,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.common.logger import log
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import FedAvg

from .aggregation import Aggregation
from .client_replies import ClientReply, read_replies
from .diagnostics import ClientDiagnostics, OnRound, RoundDiagnostics, judged_malicious
from .performance_aware import PerformanceAware
from .server_step import server_step
from .weightings import NoRegret, Weighting
from .weightings.weighting import check_epsilon

RECOMMENDED_TILT = PerformanceAware()
"""The default tilt; a strategy with another epsilon bounds the reports accordingly."""


class FedAvgOptions(TypedDict, total=False):
    """The options of Flower's ``FedAvg``, all of which `PAwBRoFL` accepts as well."""

    fraction_fit: float
    fraction_evaluate: float
    min_fit_clients: int
    min_evaluate_clients: int
    min_available_clients: int
    evaluate_fn: (
        Callable[[int, NDArrays, dict[str, Scalar]], tuple[float, dict[str, Scalar]] | None] | None
    )
    on_fit_config_fn: Callable[[int], dict[str, Scalar]] | None
    on_evaluate_config_fn: Callable[[int], dict[str, Scalar]] | None
    accept_failures: bool
    initial_parameters: Parameters | None
    fit_metrics_aggregation_fn: MetricsAggregationFn | None
    evaluate_metrics_aggregation_fn: MetricsAggregationFn | None
    inplace: bool


class PAwBRoFL(FedAvg):
    """Performance-aware Byzantine-robust federated learning.

    Clients report their optimality gap as the fit metric ``loss_gap``: the loss on their own training
    data under the model they received, minus the loss after their local training. Without any such
    report the aggregation is robust, but not performance-aware.

    Parameters
    ----------
    epsilon : float, default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5.
    weighting : Weighting, optional
        Finds the robust weights. By default ``NoRegret(epsilon)``.
    performance : PerformanceAware or None
        The tilt; None for robust weights alone. By default ``PerformanceAware(epsilon=epsilon)``
        with its recommended mu.
    server_learning_rate : float, default 1.0
        The aggregated update is multiplied with it; above 0.
    block_size : int, optional
        Aggregate blocks of that many coordinates on their own; by default the whole update at once.
    loss_gap_key : str, default "loss_gap"
        Name of the metric that holds a client's optimality gap.
    client_id_key : str, default "partition_id"
        Name of the metric, a whole number, that tells clients apart from run to run. It gives order and
        names only. Clients that do not report it go by their node id.
    on_round : callable, optional
        Called with the round's `RoundDiagnostics` after every aggregation.
    **fedavg_options
        All options of ``flwr.server.strategy.FedAvg``.

    Raises
    ------
    ValueError
        For an argument out of its range; the message names it.
    """

    def __init__(
        self,
        *,
        epsilon: float = 0.2,
        weighting: Weighting | None = None,
        performance: PerformanceAware | None = RECOMMENDED_TILT,
        server_learning_rate: float = 1.0,
        block_size: int | None = None,
        loss_gap_key: str = "loss_gap",
        client_id_key: str = "partition_id",
        on_round: OnRound | None = None,
        **fedavg_options: Unpack[FedAvgOptions],
    ) -> None:
        super().__init__(**fedavg_options)
        check_epsilon(epsilon)
        _check_fractions(self)
        if not (server_learning_rate > 0 and np.isfinite(server_learning_rate)):
            raise ValueError(
                f"server_learning_rate must be a number above 0, got {server_learning_rate}"
            )
        if block_size is not None and block_size < 1:
            raise ValueError(f"block_size must be at least 1, got {block_size}")
        if performance is RECOMMENDED_TILT:
            performance = replace(RECOMMENDED_TILT, epsilon=epsilon)
        self.epsilon = epsilon
        self.weighting = NoRegret(epsilon) if weighting is None else weighting
        self.performance = performance
        self.server_learning_rate = server_learning_rate
        self.block_size = block_size
        self.loss_gap_key = loss_gap_key
        self.client_id_key = client_id_key
        self.on_round = on_round
        self._global_model: NDArrays | None = None
        self._sent_at = 0.0
        self._warned_of_no_gaps = False

    def __repr__(self) -> str:
        """Return the settings that decide how updates are aggregated."""
        return (
            f"PAwBRoFL(weighting={self.weighting}, performance={self.performance}, "
            f"server_learning_rate={self.server_learning_rate}, block_size={self.block_size})"
        )

    def summary(self) -> None:
        """Log the settings that decide how updates are aggregated."""
        log(INFO, "\t├──> PAwBRoFL settings:")
        log(INFO, "\t│\t├── Weighting: %s", self.weighting)
        log(INFO, "\t│\t├── Performance: %s", self.performance or "no tilt")
        log(INFO, "\t│\t├── Server learning rate: %s", self.server_learning_rate)
        log(INFO, "\t│\t└── Block size: %s", self.block_size or "whole update")

    def initialize_parameters(self, client_manager: ClientManager) -> Parameters | None:
        """Log the settings and return the initial global parameters, if there are any."""
        self.summary()
        return super().initialize_parameters(client_manager)

    def configure_fit(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, FitIns]]:
        """Sample clients for training and remember the global model that they are sent."""
        # FedAvg counts the clients before it waits for them, so a first round could start with few.
        # Asking for their number makes Flower's manager look for clients now, not only in five seconds.
        client_manager.num_available()
        client_manager.wait_for(self.min_available_clients, timeout=86400)
        self._global_model = parameters_to_ndarrays(parameters)
        instructions = super().configure_fit(server_round, parameters, client_manager)
        self._sent_at = time.perf_counter()
        return instructions

    def aggregate_fit(
        self,
        server_round: int,
        results: list[tuple[ClientProxy, FitRes]],
        failures: list[tuple[ClientProxy, FitRes] | BaseException],
    ) -> tuple[Parameters | None, dict[str, Scalar]]:
        """Aggregate the clients' models into the next global model.

        Returns None for the parameters, which keeps the global model, where no reply can be used.
        """
        received_at = time.perf_counter()
        if not results or (failures and not self.accept_failures):
            return None, {}
        if self._global_model is None:
            raise RuntimeError("aggregate_fit was called before configure_fit")
        replies = read_replies(
            results,
            self._global_model,
            loss_gap_key=self.loss_gap_key,
            client_id_key=self.client_id_key,
        )
        model, aggregation = self._next_model(server_round, replies)
        diagnostics = RoundDiagnostics(
            server_round=server_round,
            clients=_diagnose(replies, aggregation),
            training_seconds=received_at - self._sent_at,
            aggregation_seconds=time.perf_counter() - received_at,
        )
        _log_round(diagnostics)
        if self.on_round is not None:
            self.on_round(diagnostics)
        metrics: dict[str, Scalar] = {}
        if self.fit_metrics_aggregation_fn is not None:
            metrics = self.fit_metrics_aggregation_fn(
                [(result.num_examples, result.metrics) for _, result in results]
            )
        return (None if model is None else ndarrays_to_parameters(model)), metrics

    def _next_model(
        self, server_round: int, replies: list[ClientReply]
    ) -> tuple[NDArrays | None, Aggregation | None]:
        usable = [reply for reply in replies if not reply.left_out]
        if not usable or self._global_model is None:
            log(WARNING, "round %s: no reply can be aggregated, the model is kept", server_round)
            return None, None
        gaps = [reply.loss_gap for reply in usable]
        names = [reply.client for reply in usable]
        if np.isnan(gaps).all() and self.performance is not None and not self._warned_of_no_gaps:
            self._warned_of_no_gaps = True
            log(
                WARNING,
                "no client reports the fit metric `%s`: the aggregation is robust, but not "
                "performance-aware. Add to the metrics that `fit` returns: the loss on the client's "
                "own data under the received model, minus the loss after local training.",
                self.loss_gap_key,
            )
        model, aggregation = server_step(
            self._global_model,
            [reply.arrays for reply in usable],
            self.weighting,
            loss_gaps=gaps,
            performance=self.performance and self.performance.at_round(server_round, names),
            block_size=self.block_size,
            server_learning_rate=self.server_learning_rate,
        )
        if not all(np.isfinite(array).all() for array in model):
            log(WARNING, "round %s: the new model is not finite, the old one is kept", server_round)
            return None, aggregation
        return model, aggregation


def _check_fractions(strategy: FedAvg) -> None:
    for name in ("fraction_fit", "fraction_evaluate"):
        if not 0 <= getattr(strategy, name) <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {getattr(strategy, name)}")


def _diagnose(
    replies: list[ClientReply], aggregation: Aggregation | None
) -> tuple[ClientDiagnostics, ...]:
    usable = sum(not reply.left_out for reply in replies)
    zeros = np.zeros(usable)
    q = iter(zeros if aggregation is None else aggregation.robust_weights)
    weights = iter(zeros if aggregation is None else aggregation.weights)
    clients = []
    for reply in replies:
        robust_weight = 0.0 if reply.left_out else float(next(q))
        clients.append(
            ClientDiagnostics(
                client=reply.client,
                robust_weight=robust_weight,
                weight=0.0 if reply.left_out else float(next(weights)),
                loss_gap=reply.loss_gap,
                judged_malicious=bool(reply.left_out) or judged_malicious(robust_weight, usable),
                num_examples=reply.num_examples,
                left_out=reply.left_out,
            )
        )
    return tuple(clients)


def _log_round(diagnostics: RoundDiagnostics) -> None:
    for client in diagnostics.clients:
        if client.left_out:
            log(WARNING, "aggregate_fit: left out client %s: %s", client.client, client.left_out)
    suspects = [client.client for client in diagnostics.clients if client.judged_malicious]
    log(
        INFO,
        "aggregate_fit: aggregated %s updates in %.2f s; judged malicious: %s",
        sum(not client.left_out for client in diagnostics.clients),
        diagnostics.aggregation_seconds,
        ", ".join(suspects) or "none",
    )
