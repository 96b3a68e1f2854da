"""PAwBRoFL as a Flower strategy for ``flwr.server.strategy`` projects (``aggregate_fit``).

Thin over `strategies.rounds`, as is its sister `strategies.message` for the Message API.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar, Unpack

from flwr.common import EvaluateIns, FitIns, Parameters
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy

from .branch_state import MAIN
from .fit_strategy import FedAvgOptions, FitStrategy
from .rounds import RobustRounds
from .typed_options import RobustOptions

Instruction = TypeVar("Instruction", FitIns, EvaluateIns)


class Options(RobustOptions, FedAvgOptions, total=False):
    """All options of `PAwBRoFL`."""


class PAwBRoFL(RobustRounds, FitStrategy):
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
        How many groups of clients that are left out may be given a branch of the model of their
        own; each client is sent its branch's.
    vouched : collection of str or int, or Vouching, default ()
        Node ids of clients that somebody vouches for; see `strategies.vouching`.
    root_loss : callable, optional
        Returns a model's loss on samples of the server's own; see `strategies.root_data`.
    loss_gap_key, loss_key, client_id_key, on_round
        What clients report and what is told of it; see `RobustRounds`.
    **fedavg_options
        All options of ``flwr.server.strategy.FedAvg``. ``inplace`` has no effect.

    Raises
    ------
    ValueError
        For an argument out of its range; the message names it.
    """

    def __init__(self, *flower_positional: Any, **options: Unpack[Options]) -> None:
        super().__init__(*flower_positional, **options)

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
        instructions = super().configure_fit(server_round, parameters, client_manager)
        self.send_model(parameters.tensors)
        numbers = self.models_to_train(
            server_round, [client.cid for client, _ in instructions], client_manager.num_available()
        )
        return self._in_branches(instructions, numbers)

    def configure_evaluate(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, EvaluateIns]]:
        """Sample clients for evaluation, each of the model of its branch."""
        instructions = super().configure_evaluate(server_round, parameters, client_manager)
        numbers = self.models_to_evaluate([client.cid for client, _ in instructions])
        return self._in_branches(instructions, numbers)

    def branch_models(self) -> dict[int, Parameters]:
        """Return the model of each branch, by its number."""
        branches = self.serialized_branches()
        return {number: Parameters(tensors, self._tensor_type) for number, tensors in branches.items()}

    def _in_branches(
        self, instructions: list[tuple[ClientProxy, Instruction]], numbers: Sequence[int]
    ) -> list[tuple[ClientProxy, Instruction]]:
        """Return a round's instructions, each with the model of the branch of that number."""
        models = self.branch_models() if any(numbers) else {}
        received = {
            number: replace(instructions[0][1], parameters=models[number])
            for number in set(numbers) - {MAIN}
        }
        return [
            (client, received.get(number, instruction))
            for (client, instruction), number in zip(instructions, numbers, strict=True)
        ]
