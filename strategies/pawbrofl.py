"""PAwBRoFL as a Flower strategy for ``flwr.server.strategy`` projects (``aggregate_fit``).

Thin over `strategies.rounds`, as is its sister `strategies.message` for the Message API.
"""

from __future__ import annotations

from typing import ClassVar

from flwr.common import EvaluateIns, EvaluateRes, FitIns, FitRes, Parameters, Scalar
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import FedAvg

from .branch_state import MAIN
from .replies.client_replies import EncodedReply
from .reported_metrics import finite_evaluations
from .rounds import RobustRounds

A_DAY = 86400


class PAwBRoFL(RobustRounds, FedAvg):
    """Performance-aware Byzantine-robust federated learning.

    Clients report their optimality gap as the fit metric ``loss_gap``: the loss on their own training
    data under the model they received, minus the loss after their local training. Where they do not,
    the aggregation is robust, but not performance-aware.

    Parameters
    ----------
    epsilon, weighting, performance, server_learning_rate, server_optimizer, block_size
        How updates are aggregated; see `RobustRounds`, which lists all options.
    not_in_gramian : sequence of int, default ()
        Positions of floating-point arrays, such as BatchNorm statistics, that take no part in finding
        the robust weights.
    branches : int or Branching, default 0
        How many groups that are left out again and again may be given a branch of the model of their
        own; each client is sent its branch's.
    loss_gap_key, loss_key, client_id_key, on_round
        What clients report and what is told of it; see `RobustRounds`.
    **fedavg_options
        All options of ``flwr.server.strategy.FedAvg``. ``inplace`` has no effect.

    Raises
    ------
    ValueError
        For an argument out of its range; the message names it.
    """

    fractions = ("fraction_fit", "fraction_evaluate")
    metrics_functions: ClassVar = {
        "fit_metrics_aggregation_fn": dict,
        "evaluate_metrics_aggregation_fn": dict,
    }
    _tensor_type = ""

    def summary(self) -> None:
        """Log the settings that decide how updates are aggregated."""
        self.log_settings()

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
        client_manager.wait_for(self.min_available_clients, timeout=A_DAY)
        instructions = super().configure_fit(server_round, parameters, client_manager)
        self._tensor_type = parameters.tensor_type
        self.send_model(parameters.tensors)
        numbers = self.models_to_train(server_round, [client.cid for client, _ in instructions])
        received = {
            number: FitIns(self.branch_models()[number], instructions[0][1].config)
            for number in set(numbers) - {MAIN}
        }
        return [
            (client, received.get(number, instruction))
            for (client, instruction), number in zip(instructions, numbers, strict=True)
        ]

    def configure_evaluate(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, EvaluateIns]]:
        """Sample clients for evaluation, each of the model of its branch."""
        instructions = super().configure_evaluate(server_round, parameters, client_manager)
        numbers = self.models_to_evaluate([client.cid for client, _ in instructions])
        received = {
            number: EvaluateIns(self.branch_models()[number], instructions[0][1].config)
            for number in set(numbers) - {MAIN}
        }
        return [
            (client, received.get(number, instruction))
            for (client, instruction), number in zip(instructions, numbers, strict=True)
        ]

    def branch_models(self) -> dict[int, Parameters]:
        """Return the model of each branch, by its number."""
        branches = self.serialized_branches()
        return {number: Parameters(tensors, self._tensor_type) for number, tensors in branches.items()}

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
        tensors, aggregated = self.finish_round(server_round, replies, stage="aggregate_fit")
        metrics: dict[str, Scalar] = {}
        if self.fit_metrics_aggregation_fn is not None and aggregated:
            fits = [results[position][1] for position in aggregated]
            metrics = self.fit_metrics_aggregation_fn([(fit.num_examples, fit.metrics) for fit in fits])
        return (None if tensors is None else Parameters(tensors, self._tensor_type)), metrics

    def aggregate_evaluate(
        self,
        server_round: int,
        results: list[tuple[ClientProxy, EvaluateRes]],
        failures: list[tuple[ClientProxy, EvaluateRes] | BaseException],
    ) -> tuple[float | None, dict[str, Scalar]]:
        """Average the clients' losses as FedAvg does, without those that are no finite numbers."""
        return super().aggregate_evaluate(server_round, finite_evaluations(results), failures)
