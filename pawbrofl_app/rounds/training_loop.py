"""The round loop: a Flower ``Strategy`` configures and aggregates, a `Grid` carries the messages.

Beside what Flower's own loops do, it takes up where a checkpoint ends, names each client that failed and
why, repeats a round that too few clients answered, and hands on a checkpoint after every round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from logging import INFO, WARNING
from typing import Any, Protocol, runtime_checkable

from flwr.common import FitRes, Parameters, Scalar
from flwr.common.logger import log
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import Strategy
from numpy.typing import NDArray

from ..records.checkpoint import Checkpoint
from ..records.layout import ClientEvaluation
from .client_evaluations import ask_for_evaluations
from .client_failures import ClientFailure
from .client_names import ClientNames
from .client_sampling import SeededClientManager
from .exchange import Exchange
from .messages import FIT, ask_clients
from .personal_models import PersonalModels
from .round_policy import RoundPolicy
from .round_progress import RunProgress

TENSOR_TYPE = "numpy.ndarray"
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


@runtime_checkable
class KnowsClients(Protocol):
    """A strategy that remembers clients, whose node ids may be new after a restart."""

    @property
    def wants_introductions(self) -> bool:
        """Whether it needs to know clients before the first round of a run, resumed or not."""
        ...

    def introduce(self, reported: Mapping[str, int]) -> None:
        """Learn the partition ids that nodes report."""
        ...


class TrainingLoop:
    """Runs the rounds of one federation.

    Parameters
    ----------
    exchange : Exchange
        Of messages with the clients.
    clients : SeededClientManager
    strategy : Strategy
        Its round is begun with ``configure_fit`` as often as the round is tried; one that
        `CarriesState` has it saved and restored.
    policy : RoundPolicy
    resume_from : Checkpoint, optional
    personal_models : PersonalModels, optional
        Told who trained, and to give back those of the checkpoint; by default clients have none.
    on_failures : callable
        Called with a round's number and its `ClientFailure`, if there are any.
    on_evaluations : callable
        Called with a round's number, its clients' evaluations and the seconds they took, if the strategy
        has any evaluate. They are not aggregated.
    after_round : callable
        Called with the `Checkpoint` that a round ends with, but for the lengths of its records.

    Attributes
    ----------
    parameters : Parameters
        The global model.
    strategy : Strategy
    """

    parameters: Parameters

    def __init__(
        self,
        *,
        exchange: Exchange,
        clients: SeededClientManager,
        strategy: Strategy,
        policy: RoundPolicy,
        resume_from: Checkpoint | None = None,
        personal_models: PersonalModels | None = None,
        on_failures: Callable[[int, Sequence[ClientFailure]], None] = lambda *_: None,
        on_evaluations: Callable[[int, Sequence[ClientEvaluation], float], None] = lambda *_: None,
        after_round: Callable[[Checkpoint], None] = lambda _: None,
    ) -> None:
        self._exchange = exchange
        self._clients = clients
        self.strategy = strategy
        self._policy = policy
        self._resume_from = resume_from
        self._personal_models = personal_models
        self._on_failures = on_failures
        self._on_evaluations = on_evaluations
        self._after_round = after_round
        self._names = ClientNames()

    def run(self, num_rounds: int) -> Parameters:
        """Run the rounds that are left, and return the global model.

        Raises
        ------
        TooFewReplies
            Where a round could not be done.
        """
        log(INFO, "[INIT]")
        self._progress = RunProgress(num_rounds)
        done = self._take_up()
        started = time.perf_counter()
        if done < num_rounds:
            self._wait_for_clients()
            remembers = self._resume_from is not None and self._resume_from.strategy_state
            knows = isinstance(self.strategy, KnowsClients) and self.strategy
            if knows and (remembers or knows.wants_introductions):
                knows.introduce(self._clients.partition_ids())
            if self._resume_from is not None and self._personal_models is not None:
                self._personal_models.give_back(self._resume_from.personal_models)
        for server_round in range(done + 1, num_rounds + 1):
            log(INFO, "")
            log(INFO, "[ROUND %s]", server_round)
            self._train(server_round)
            if server_round == num_rounds or server_round % self._policy.evaluate_every == 0:
                self._evaluate_at_clients(server_round)
            self._evaluate(server_round)
            self._after_round(self._checkpoint(server_round))
        log(INFO, "")
        log(INFO, "Run finished %s rounds in %.2f s", num_rounds, time.perf_counter() - started)
        return self.parameters

    def _take_up(self) -> int:
        """Set model and state to those of the last round that is done, and return its number."""
        parameters = self.strategy.initialize_parameters(self._clients)
        if parameters is None:
            raise RuntimeError("the strategy has no initial parameters")
        self.parameters = parameters
        checkpoint = self._resume_from
        if checkpoint is None:
            self._evaluate(0)
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
        wanted, started = self._policy.num_clients, time.monotonic()
        while (there := self._clients.num_available()) < wanted:
            if self._clients.wait_for(wanted, timeout=SECONDS_BETWEEN_LINES):
                return
            log(
                INFO,
                "waiting for SuperNodes: %s of %s are there; a simulation has 2 unless flwr run is told "
                "--federation-config 'num-supernodes=%s'",
                there,
                wanted,
                wanted,
            )
            waited = time.monotonic() - started
            patience = self._policy.start_timeout
            if patience and waited >= patience and there >= self._policy.min_fit_clients:
                log(WARNING, "starting with %s of %s SuperNodes", there, wanted)
                return

    def _train(self, server_round: int) -> None:
        self._progress.start_round(server_round)
        results, failures = self._replies(server_round)
        parameters, _ = self.strategy.aggregate_fit(server_round, results, list(failures))
        if parameters is not None:
            self.parameters = parameters
        self._on_failures(server_round, failures)

    def _replies(self, server_round: int) -> tuple[Results, Sequence[ClientFailure]]:
        """Have clients train, again and again until enough of them answered."""
        attempts, needed = self._policy.round_attempts, self._policy.min_fit_clients
        for attempt in range(1, attempts + 1):
            results, failures = self._ask(server_round)
            if len(results) >= needed:
                return results, failures
            told = f"{len(results)} clients answered, at least {needed} must"
            if attempt < attempts:
                log(WARNING, "round %s is repeated: %s", server_round, told)
                time.sleep(min(2.0**attempt, LONGEST_PAUSE))
        raise TooFewReplies(f"round {server_round} was tried {attempts} times: {told}")

    def _ask(self, server_round: int) -> tuple[Results, list[ClientFailure]]:
        instructions = self.strategy.configure_fit(server_round, self.parameters, self._clients)
        log(INFO, "configure_fit: sampled %s clients", len(instructions))
        results, failures = ask_clients(
            self._exchange,
            FIT,
            instructions,
            self._policy.round_timeout,
            group_id=str(server_round),
            on_reply=self._progress.expect_replies(server_round, len(instructions)).count,
        )
        self._names.learn(results)
        if self._personal_models is not None:
            self._personal_models.trained(client.cid for client, _ in instructions)
        log(INFO, "aggregate_fit: received %s results, %s failures", len(results), len(failures))
        for failure in failures:
            log(WARNING, "aggregate_fit: no reply from %s", self._names.described(failure))
        return results, [
            ClientFailure(self._names.of(f.client), f.reason, replied=f.replied, node=f.client)
            for f in failures
        ]

    def _evaluate_at_clients(self, server_round: int) -> None:
        with self._clients.evaluating(server_round):
            instructions = self.strategy.configure_evaluate(server_round, self.parameters, self._clients)
        if not instructions:
            return
        started = time.perf_counter()
        evaluations = ask_for_evaluations(
            self._exchange, server_round, instructions, self._policy.round_timeout, self._names.of
        )
        self._on_evaluations(server_round, evaluations, time.perf_counter() - started)

    def _evaluate(self, server_round: int) -> None:
        evaluated = self.strategy.evaluate(server_round, self.parameters)
        if evaluated is None:
            return
        loss, metrics = evaluated
        log(INFO, "evaluated round %s: loss %.4f%s", server_round, loss, _listed(metrics))


def _listed(metrics: Mapping[str, Scalar]) -> str:
    return "".join(
        f", {name} {value:.4f}" if isinstance(value, float) else f", {name} {value!r}"
        for name, value in metrics.items()
    )
