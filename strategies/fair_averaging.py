"""Fair aggregators as a Flower strategy for ``flwr.server.strategy`` projects (``aggregate_fit``).

Thin over `strategies.fair_rounds`. For comparison: none of these aggregators withstands malicious
clients.
"""

from __future__ import annotations

from flwr.common import EvaluateRes, FitIns, FitRes, Parameters, Scalar
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import FedAvg

from .fair_rounds import FairRounds
from .flower_log import FLOWER_LOG
from .replies.client_replies import EncodedReply
from .reported_metrics import finite_evaluations, tolerant

A_DAY = 86400


class FairAveraging(FairRounds, FedAvg):
    """Averages the clients' updates with the weights of a `FairWeighting`.

    ::

        strategy = FairAveraging(QFFL(q=5))

    Clients report their mean loss on their own training data under the model they received as the fit
    metric ``loss_before`` (or ``loss-before``). One that does not gets no weight; where none does, the
    plain mean is taken, and the log says so.

    Parameters
    ----------
    weighting : FairWeighting
        One of `strategies.fairness`.
    server_learning_rate, loss_key, loss_gap_key, client_id_key, on_round
        See `FairRounds`, which lists all options. Diagnostics hold the clients' weights, normalised;
        there are no robust weights and nobody is judged malicious.
    **fedavg_options
        All options of ``flwr.server.strategy.FedAvg``. ``inplace`` has no effect.

    Raises
    ------
    ValueError
        For an argument out of its range; the message names it.
    """

    _tensor_type = ""

    def initialize_parameters(self, client_manager: ClientManager) -> Parameters | None:
        """Log the settings and return the initial global parameters, if there are any."""
        FLOWER_LOG.info("\t├──> %s", self)
        return super().initialize_parameters(client_manager)

    def configure_fit(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, FitIns]]:
        """Sample clients for training and remember the global model that they are sent."""
        client_manager.num_available()  # has Flower's manager look for clients now, not in five seconds
        client_manager.wait_for(self.min_available_clients, timeout=A_DAY)
        instructions = super().configure_fit(server_round, parameters, client_manager)
        self._tensor_type = parameters.tensor_type
        self.send_model(parameters.tensors, num_clients=client_manager.num_available())
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
        tensors, aggregated = self.finish_round(server_round, replies, stage="aggregate_fit")
        metrics: dict[str, Scalar] = {}
        if self.fit_metrics_aggregation_fn is not None and aggregated:
            fits = [results[position][1] for position in aggregated]
            aggregate_metrics = tolerant(self.fit_metrics_aggregation_fn, dict)
            metrics = aggregate_metrics([(fit.num_examples, fit.metrics) for fit in fits])
        return (None if tensors is None else Parameters(tensors, self._tensor_type)), metrics

    def aggregate_evaluate(
        self,
        server_round: int,
        results: list[tuple[ClientProxy, EvaluateRes]],
        failures: list[tuple[ClientProxy, EvaluateRes] | BaseException],
    ) -> tuple[float | None, dict[str, Scalar]]:
        """Average the clients' losses as FedAvg does, without those that are no finite numbers."""
        return super().aggregate_evaluate(server_round, finite_evaluations(results), failures)
