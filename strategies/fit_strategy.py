"""What this project's strategies for ``aggregate_fit`` projects have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypedDict

from flwr.common import EvaluateRes, FitIns, FitRes, MetricsAggregationFn, NDArrays, Parameters, Scalar
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import FedAvg
from flwr.server.strategy.aggregate import weighted_loss_avg

from .diagnostics import OnRound, tell_evaluation
from .replies.client_replies import EncodedReply
from .reported_metrics import finite_evaluations
from .training_rounds import TrainingRounds

A_DAY = 86400


class FedAvgOptions(TypedDict, total=False):
    """The options of Flower's ``FedAvg``, which a type checker checks."""

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


class FitStrategy(TrainingRounds, FedAvg):
    """Hands a round's replies to `finish_round`, and makes parameters of what it returns."""

    fractions: ClassVar[tuple[str, ...]] = ("fraction_fit", "fraction_evaluate")
    metrics_functions: ClassVar[dict[str, Callable[[], Any]]] = {
        "fit_metrics_aggregation_fn": dict,
        "evaluate_metrics_aggregation_fn": dict,
    }
    on_round: OnRound | None
    _tensor_type = ""  # until a model is sent, when nothing has a type; any text does

    def configure_fit(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, FitIns]]:
        """Wait for enough clients, and sample those that train."""
        # FedAvg counts the clients before it waits for them, so a first round could start with few.
        # Asking for their number makes Flower's manager look for clients now, not only in five seconds.
        client_manager.num_available()
        client_manager.wait_for(self.min_available_clients, timeout=A_DAY)
        instructions = super().configure_fit(server_round, parameters, client_manager)
        self._tensor_type = parameters.tensor_type
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
        if not results or (failures and not self.accept_failures):
            return None, {}
        replies = [
            EncodedReply(str(proxy.cid), fit.parameters.tensors, fit.metrics, fit.num_examples)
            for proxy, fit in results
        ]
        tensors, _ = self.finish_round(server_round, replies, stage="aggregate_fit")
        metrics: dict[str, Scalar] = {}
        if self.fit_metrics_aggregation_fn is not None:
            metrics = self.fit_metrics_aggregation_fn(
                [(fit.num_examples, fit.metrics) for _, fit in results]
            )
        return (None if tensors is None else Parameters(tensors, self._tensor_type)), metrics

    def aggregate_evaluate(
        self,
        server_round: int,
        results: list[tuple[ClientProxy, EvaluateRes]],
        failures: list[tuple[ClientProxy, EvaluateRes] | BaseException],
    ) -> tuple[float | None, dict[str, Scalar]]:
        """Average the clients' losses as FedAvg does, without those that are no finite numbers."""
        if not results or (failures and not self.accept_failures):
            return None, {}
        usable = [(result.num_examples, result.loss) for _, result in finite_evaluations(results)]
        metrics: dict[str, Scalar] = {}
        if self.evaluate_metrics_aggregation_fn is not None:
            metrics = self.evaluate_metrics_aggregation_fn(
                [(result.num_examples, result.metrics) for _, result in results]
            )
        loss = weighted_loss_avg(usable) if usable else None
        tell_evaluation(self.on_round, server_round, _with_loss(loss, metrics), "clients")
        return loss, metrics

    def evaluate(
        self, server_round: int, parameters: Parameters
    ) -> tuple[float, dict[str, Scalar]] | None:
        """Evaluate the model with ``evaluate_fn``, if there is one, and tell ``on_round``."""
        evaluation = super().evaluate(server_round, parameters)
        if evaluation is not None:
            tell_evaluation(self.on_round, server_round, _with_loss(*evaluation), "server")
        return evaluation


def _with_loss(loss: float | None, metrics: dict[str, Scalar]) -> dict[str, Scalar]:
    return metrics if loss is None else {"loss": loss, **metrics}
