"""Fair aggregators as a Flower strategy for ``flwr.server.strategy`` projects (``aggregate_fit``).

Thin over `strategies.fair_rounds`. For comparison: none of these aggregators withstands malicious
clients.
"""

from __future__ import annotations

from flwr.common import FitIns, Parameters
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy

from .fair_rounds import FairRounds
from .fit_strategy import FitStrategy
from .flower_log import FLOWER_LOG


class FairAveraging(FairRounds, FitStrategy):
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

    def initialize_parameters(self, client_manager: ClientManager) -> Parameters | None:
        """Log the settings and return the initial global parameters, if there are any."""
        FLOWER_LOG.info("\t├──> %s", self)
        return super().initialize_parameters(client_manager)

    def configure_fit(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, FitIns]]:
        """Sample clients for training and remember the global model that they are sent."""
        instructions = super().configure_fit(server_round, parameters, client_manager)
        self.send_model(parameters.tensors, num_clients=client_manager.num_available())
        return instructions
