"""Flower's server for ``aggregate_fit`` strategies, made to last.

Flower's own always counts rounds from 1, has no name for a client that failed, and aggregates whatever
few replies there are. This one takes up where a checkpoint ends, tells who failed and why, repeats a
round that too few clients answered, and writes a checkpoint every so many rounds. It lets all clients
of a round train at the same time, but for the in-process engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from logging import INFO, WARNING
from typing import Any, Protocol, runtime_checkable

from flwr.common import FitRes, Parameters, Scalar
from flwr.common.logger import log
from flwr.server import Server
from flwr.server.client_proxy import ClientProxy
from flwr.server.history import History
from flwr.server.server import fit_clients
from flwr.server.strategy import Strategy
from flwr.serverapp import Grid
from numpy.typing import NDArray

from ..engines.in_process import InProcessGrid
from ..records.checkpoint import Checkpoint
from ..records.layout import ClientEvaluation
from .client_evaluations import ask_for_evaluations
from .client_failures import ClientFailure
from .client_names import ClientNames
from .client_sampling import SeededClientManager
from .round_progress import RunProgress

TENSOR_TYPE = "numpy.ndarray"
CLIENTS_AT_ONCE = 128
SECONDS_BETWEEN_LINES = 10
LONGEST_PAUSE = 60.0

Results = list[tuple[ClientProxy, FitRes]]


class TooFewReplies(RuntimeError):
    """A round was repeated as often as allowed, and never did enough clients answer."""


@runtime_checkable
class CarriesState(Protocol):
    """A strategy that carries something from round to round, apart from the model."""

    def state(self) -> Mapping[str, NDArray[Any]]:
        """Return it as named arrays."""
        ...

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned."""
        ...


@dataclass(frozen=True)
class Endurance:
    """How many clients a round needs, and how long to wait for them.

    Parameters
    ----------
    num_clients : int
        A run starts when that many are there.
    start_timeout : float
        After so many seconds it starts with ``min_fit_clients`` already; 0: never.
    min_fit_clients : int
        Fewer replies do not make a round.
    round_attempts : int
        How often a round is tried before the run gives up.
    """

    num_clients: int
    start_timeout: float
    min_fit_clients: int
    round_attempts: int


class DurableServer(Server):
    """A server whose runs can be resumed and whose rounds need a number of replies.

    Parameters
    ----------
    client_manager : SeededClientManager
    strategy : Strategy
        Its round is begun with ``configure_fit`` as often as the round is tried; one that
        `CarriesState` has it saved and restored.
    endurance : Endurance
    progress : RunProgress
    resume_from : Checkpoint, optional
    on_failures : callable
        Called with a round's number and its `ClientFailure`, if there are any.
    on_evaluations : callable
        Called with a round's number, its clients' evaluations and the seconds they took, if the strategy
        has any evaluate. They are not aggregated.
    after_round : callable
        Called with the `Checkpoint` that a round ends with, but for the lengths of its records.
    grid : Grid, optional
        The engine's; the in-process one has clients train in a way of its own.
    """

    def __init__(
        self,
        *,
        client_manager: SeededClientManager,
        strategy: Strategy,
        endurance: Endurance,
        progress: RunProgress,
        resume_from: Checkpoint | None = None,
        on_failures: Callable[[int, Sequence[ClientFailure]], None] = lambda *_: None,
        on_evaluations: Callable[[int, Sequence[ClientEvaluation], float], None] = lambda *_: None,
        after_round: Callable[[Checkpoint], None] = lambda _: None,
        grid: Grid | None = None,
    ) -> None:
        super().__init__(client_manager=client_manager, strategy=strategy)
        self._clients = client_manager
        self._endurance = endurance
        self._progress = progress
        self._resume_from = resume_from
        self._on_failures = on_failures
        self._on_evaluations = on_evaluations
        self._after_round = after_round
        self._fit_clients = grid.fit_clients if isinstance(grid, InProcessGrid) else fit_clients
        self._names = ClientNames()

    def fit(self, num_rounds: int, timeout: float | None) -> tuple[History, float]:
        """Run the rounds that are left, and return their history and how many seconds they took.

        Raises
        ------
        TooFewReplies
            Where a round could not be done.
        """
        history = History()
        log(INFO, "[INIT]")
        done = self._take_up(history)
        started = time.perf_counter()
        if done < num_rounds:
            self._wait_for_clients()
        for server_round in range(done + 1, num_rounds + 1):
            log(INFO, "")
            log(INFO, "[ROUND %s]", server_round)
            self._train(server_round, timeout, history)
            self._evaluate_at_clients(server_round, timeout)
            self._evaluate(server_round, history)
            self._after_round(self._checkpoint(server_round))
        return history, time.perf_counter() - started

    def _take_up(self, history: History) -> int:
        """Set model and state to those of the last round that is done, and return its number."""
        parameters = self.strategy.initialize_parameters(self._clients)
        if parameters is None:
            raise RuntimeError("the strategy has no initial parameters")
        self.parameters = parameters
        checkpoint = self._resume_from
        if checkpoint is None:
            self._evaluate(0, history)
            return 0
        self.parameters = Parameters(checkpoint.tensors, TENSOR_TYPE)
        self._clients.num_draws = checkpoint.num_draws
        if isinstance(self.strategy, CarriesState):
            self.strategy.restore(checkpoint.strategy_state)
        log(INFO, "Resumed after round %s", checkpoint.server_round)
        return checkpoint.server_round

    def _checkpoint(self, server_round: int) -> Checkpoint:
        state = self.strategy.state() if isinstance(self.strategy, CarriesState) else {}
        return Checkpoint(server_round, self.parameters.tensors, self._clients.num_draws, {}, state)

    def _wait_for_clients(self) -> None:
        wanted, started = self._endurance.num_clients, time.monotonic()
        # Flower looks for new nodes every 5 s, but at once where it is asked how many there are.
        while (there := self._clients.num_available()) < wanted:
            if self._clients.wait_for(wanted, timeout=SECONDS_BETWEEN_LINES):
                return
            log(INFO, "waiting for SuperNodes: %s of %s are there", there, wanted)
            waited = time.monotonic() - started
            patience = self._endurance.start_timeout
            if patience and waited >= patience and there >= self._endurance.min_fit_clients:
                log(WARNING, "starting with %s of %s SuperNodes", there, wanted)
                return

    def _train(self, server_round: int, timeout: float | None, history: History) -> None:
        self._progress.start_round(server_round)
        results, failures = self._replies(server_round, timeout)
        parameters, metrics = self.strategy.aggregate_fit(server_round, results, list(failures))
        if parameters is not None:
            self.parameters = parameters
        self._on_failures(server_round, failures)
        history.add_metrics_distributed_fit(server_round, metrics)

    def _replies(
        self, server_round: int, timeout: float | None
    ) -> tuple[Results, Sequence[ClientFailure]]:
        """Have clients train, again and again until enough of them answered."""
        attempts, needed = self._endurance.round_attempts, self._endurance.min_fit_clients
        for attempt in range(1, attempts + 1):
            results, failures = self._ask(server_round, timeout)
            if len(results) >= needed:
                return results, failures
            told = f"{len(results)} clients answered, at least {needed} must"
            if attempt < attempts:
                log(WARNING, "round %s is repeated: %s", server_round, told)
                time.sleep(min(2.0**attempt, LONGEST_PAUSE))
        raise TooFewReplies(f"round {server_round} was tried {attempts} times: {told}")

    def _ask(self, server_round: int, timeout: float | None) -> tuple[Results, list[ClientFailure]]:
        instructions = self.strategy.configure_fit(server_round, self.parameters, self._clients)
        log(INFO, "configure_fit: sampled %s clients", len(instructions))
        results, problems = self._fit_clients(
            self._progress.watch(server_round, instructions),
            max_workers=min(max(len(instructions), 1), CLIENTS_AT_ONCE),
            timeout=timeout,
            group_id=server_round,
        )
        self._names.learn(results)
        log(INFO, "aggregate_fit: received %s results, %s failures", len(results), len(problems))
        failures = [problem for problem in problems if isinstance(problem, ClientFailure)]
        for failure in failures:
            log(WARNING, "aggregate_fit: no reply from %s", self._names.described(failure))
        return results, [
            ClientFailure(self._names.of(f.client), f.reason, replied=f.replied) for f in failures
        ]

    def _evaluate_at_clients(self, server_round: int, timeout: float | None) -> None:
        with self._clients.evaluating(server_round):
            instructions = self.strategy.configure_evaluate(server_round, self.parameters, self._clients)
        if not instructions:
            return
        started = time.perf_counter()
        evaluations = ask_for_evaluations(server_round, instructions, timeout, self._names.of)
        self._on_evaluations(server_round, evaluations, time.perf_counter() - started)

    def _evaluate(self, server_round: int, history: History) -> None:
        evaluated = self.strategy.evaluate(server_round, self.parameters)
        if evaluated is None:
            return
        loss, metrics = evaluated
        log(INFO, "evaluated round %s: loss %.4f%s", server_round, loss, _listed(metrics))
        history.add_loss_centralized(server_round, loss)
        history.add_metrics_centralized(server_round, metrics)


def _listed(metrics: Mapping[str, Scalar]) -> str:
    return "".join(
        f", {name} {value:.4f}" if isinstance(value, float) else f", {name} {value!r}"
        for name, value in metrics.items()
    )
