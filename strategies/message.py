"""Flower strategies for ``flwr.serverapp.strategy`` projects (the Message API).

Thin over `strategies.rounds` and `strategies.fair_rounds`, as are their sisters for ``aggregate_fit`` in
`strategies.pawbrofl` and `strategies.fair_averaging`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Unpack

from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from .branch_state import MAIN
from .fair_rounds import FairRounds
from .flower_log import FLOWER_LOG
from .message_strategy import FedAvgOptions, MessageStrategy
from .rounds import RobustRounds
from .typed_options import RobustOptions


class Options(RobustOptions, FedAvgOptions, total=False):
    """All options of `PAwBRoFL`."""


class PAwBRoFL(RobustRounds, MessageStrategy):
    """Performance-aware Byzantine-robust federated learning.

    Clients report their optimality gap as the metric ``loss_gap`` (or ``loss-gap``) of a training
    reply: the loss on their own training data under the model they received, minus the loss after
    their local training. Where they do not, the aggregation is robust, but not performance-aware.

    Parameters
    ----------
    epsilon, weighting, performance, server_learning_rate, server_optimizer, block_size
        How updates are aggregated; see `RobustRounds`, which lists all options.
    not_in_gramian : sequence of str or int, default ()
        Names of floating-point arrays, as patterns such as ``"*running_mean"``, that take no part in
        finding the robust weights.
    branches : int or Branching, default 0
        How many groups of clients that are left out may be given a branch of the model of their
        own; each node is sent its branch's.
    vouched : collection of str or int, or Vouching, default ()
        Node ids of clients that somebody vouches for; see `strategies.vouching`.
    root_loss : callable, optional
        Returns a model's loss on samples of the server's own; see `strategies.root_data`.
    loss_gap_key, loss_key, client_id_key, on_round
        What clients report and what is told of it; see `RobustRounds`.
    **fedavg_options
        All options of ``flwr.serverapp.strategy.FedAvg``. What ``weighted_by_key`` names weighs
        metrics, not models.

    Raises
    ------
    ValueError
        For an argument out of its range; the message names it.
    """

    def __init__(self, *flower_positional: Any, **options: Unpack[Options]) -> None:
        super().__init__(*flower_positional, **options)

    def summary(self) -> None:
        """Log the settings that decide how updates are aggregated, and FedAvg's."""
        self.log_settings()
        super().summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Sample nodes for training and remember the global model that they are sent."""
        asked = list(super().configure_train(server_round, arrays, config, grid))
        self.send_model((array.data for array in arrays.values()), list(arrays))
        nodes = [str(message.metadata.dst_node_id) for message in asked]
        num_clients = len(list(grid.get_node_ids()))
        return self._in_branches(asked, self.models_to_train(server_round, nodes, num_clients))

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Sample nodes for evaluation, each of the model of its branch."""
        asked = list(super().configure_evaluate(server_round, arrays, config, grid))
        nodes = [str(message.metadata.dst_node_id) for message in asked]
        return self._in_branches(asked, self.models_to_evaluate(nodes))

    def branch_models(self) -> dict[int, ArrayRecord]:
        """Return the model of each branch, by its number."""
        branches = self.serialized_branches()
        return {number: self._record(tensors) for number, tensors in branches.items()}

    def _in_branches(self, messages: Sequence[Message], numbers: Sequence[int]) -> list[Message]:
        """Return messages with the models of these branches in the place of the global one."""
        models = self.branch_models() if any(numbers) else {}
        contents = {
            number: RecordDict({**messages[0].content, self.arrayrecord_key: models[number]})
            for number in set(numbers) - {MAIN}
        }
        return [
            Message(contents[number], message.metadata.dst_node_id, message.metadata.message_type)
            if number in contents
            else message
            for message, number in zip(messages, numbers, strict=True)
        ]


class FairAveraging(FairRounds, MessageStrategy):
    """Averages the clients' updates with the weights of a `FairWeighting`.

    ::

        strategy = FairAveraging(QFFL(q=5))

    Clients report their mean loss on their own training data under the model they received as the
    metric ``loss_before`` (or ``loss-before``) of a training reply. One that does not gets no weight;
    where none does, the plain mean is taken, and the log says so. None of these aggregators withstands
    malicious clients.

    Parameters
    ----------
    weighting : FairWeighting
        One of `strategies.fairness`.
    server_learning_rate, loss_key, loss_gap_key, client_id_key, on_round
        See `FairRounds`, which lists all options. Diagnostics hold the clients' weights, normalised;
        there are no robust weights and nobody is judged malicious.
    **fedavg_options
        All options of ``flwr.serverapp.strategy.FedAvg``. What ``weighted_by_key`` names weighs
        metrics, not models.

    Raises
    ------
    ValueError
        For an argument out of its range; the message names it.
    """

    def summary(self) -> None:
        """Log the settings that decide how updates are aggregated, and FedAvg's."""
        FLOWER_LOG.info("\t├──> %s", self)
        super().summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Sample nodes for training and remember the global model that they are sent."""
        asked = list(super().configure_train(server_round, arrays, config, grid))
        num_nodes = len(list(grid.get_node_ids()))
        tensors = (array.data for array in arrays.values())
        self.send_model(tensors, list(arrays), num_clients=num_nodes)
        return asked
