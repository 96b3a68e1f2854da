"""What both Flower strategies do in a round of training, without any of Flower.

Algorithm 3 of PAwBRoFL (Fernando, Xiong, Patel, Stoll): the server weighs the clients' updates
robustly, tilts the weights towards the clients that are served worst, keeps the robust update's
magnitude, and takes a step with it. `strategies.pawbrofl` and `strategies.message` add what differs
between Flower's two APIs: how a model is sent, and what a reply is made of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from .branched_rounds import BranchedRounds, branching_of
from .branches import Branching
from .checks import is_whole, require
from .diagnostics import OnRound, RoundDiagnostics, diagnose
from .epsilon import Epsilon, check_epsilon_or_auto, withstood
from .flower_log import RoundLog, log_settings, warn_of_unknown_vouched
from .model_steps import (
    ReportedGaps,
    Stepping,
    memory_after,
    num_far_apart,
    steps_of_round,
    take_steps,
    verdicts_of_round,
)
from .mu_schedule import EffectiveClients, MuSchedule
from .option_checks import (
    RECOMMENDED_TILT,
    check_alone,
    check_server_optimizer,
    tilt_of,
    weighting_of,
)
from .participation import Participation
from .performance_aware import PerformanceAware
from .protection import FAILED, Protection, missing_protection
from .replies.client_replies import ClientReply, EncodedReply
from .replies.sent_model import SentModel
from .root_data import RootLoss
from .server_optimizers import ServerOptimizer
from .tilt import Tilt
from .training_rounds import TrainingRounds
from .vouching import Vouching, vouching_of
from .weightings import Mean, Weighting
from .weightings.defence import Defence, Memory

MEMORY = "memory."
"""What names of a defence's memory begin with in a checkpoint."""


class RobustRounds(TrainingRounds):
    """Performance-aware Byzantine-robust aggregation, round by round.

    Parameters
    ----------
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5. "auto" judges it from
        each round's updates, and takes 0.2 of the reports for lies.
    weighting : Weighting or str, optional
        Finds the robust weights, also by a name of `WEIGHTINGS`. By default
        ``CoalitionFiltering(epsilon)``.
    performance : Tilt or None
        The tilt; None for robust weights alone. By default ``PerformanceAware(epsilon=epsilon)``
        with its recommended mu.
    mu, max_tilt, preferences : optional
        Of the default tilt; see `PerformanceAware`.
    server_learning_rate : float, default 1.0
        The aggregated update is multiplied with it; above 0.
    server_optimizer : ServerOptimizer, optional
        ``Momentum()`` or ``Adam()``, applied to the aggregated update. By default the plain step.
    learning_threshold : int, default 0
        By how many clients signs must agree in a coordinate of the step for it not to be turned around:
        see `strategies.robust_learning_rate`. 0: no coordinate ever is.
    block_size : int, optional
        Aggregate blocks of that many coordinates on their own; by default the whole update at once.
    not_in_gramian : sequence of int or str, default ()
        Floating-point arrays that take no part in finding the robust weights: their positions, or,
        where arrays have names, patterns such as ``"*running_mean"``.
    branches : int or Branching, default 0
        How many groups of clients that are left out may be given a model of their own.
    vouched : collection of str or int, or Vouching, default ()
        Node ids of clients that somebody vouches for: a group of similar clients that holds some of them
        is a minority, not an attack. `Vouching` takes partition ids too, for simulations.
    root_loss : callable, optional
        Returns the loss of a model, a list of arrays, on samples of the server's own: who is left out
        comes back where that lowers it. Groups that stand apart are left out then, several at once.
    loss_gap_key : str, default "loss_gap"
        Name of the metric that holds a client's optimality gap.
    loss_key : str, default "loss_before"
        Name of the metric of its loss under the received model: who is served badly leaves a branch.
    client_id_key : str, default "partition_id"
        Name of the metric that holds a client's partition id, a whole number that stays the same from
        run to run. It gives order and names only; clients without it go by their node id.
    on_round : callable, optional
        Callback that is given the round's `RoundDiagnostics` after every aggregation.
    **flower_options
        All options of Flower's ``FedAvg`` of the same API.

    Raises
    ------
    ValueError
        For an argument out of its range; the message names it.
    """

    def __init__(
        self,
        *flower_positional: Any,
        epsilon: Epsilon = 0.2,
        weighting: Weighting | str | None = None,
        performance: Tilt | None = RECOMMENDED_TILT,
        mu: float | MuSchedule | EffectiveClients | None = None,
        max_tilt: float | None = None,
        preferences: Mapping[str, float] | Sequence[float] | None = None,
        server_learning_rate: float = 1.0,
        server_optimizer: ServerOptimizer | None = None,
        learning_threshold: int = 0,
        block_size: int | None = None,
        not_in_gramian: Sequence[int | str] = (),
        branches: int | Branching | None = 0,
        vouched: Collection[str | int] | Vouching = (),
        root_loss: RootLoss | None = None,
        loss_gap_key: str = "loss_gap",
        loss_key: str = "loss_before",
        client_id_key: str = "partition_id",
        on_round: OnRound | None = None,
        **flower_options: Any,
    ) -> None:
        super().__init__(
            *flower_positional,
            server_learning_rate=server_learning_rate,
            loss_gap_key=loss_gap_key,
            loss_key=loss_key,
            client_id_key=client_id_key,
            on_round=on_round,
            **flower_options,
        )
        check_epsilon_or_auto(epsilon)
        blocks = block_size is None or (is_whole(block_size) and block_size >= 1)
        require(blocks, "block_size", "a whole number of at least 1", block_size)
        check_server_optimizer(server_optimizer)
        self._known_epsilon = RECOMMENDED_TILT.epsilon if epsilon == "auto" else epsilon
        self.epsilon = epsilon
        self.weighting = weighting_of(weighting, epsilon)
        if isinstance(self.weighting, Defence):
            check_alone(
                self.weighting,
                block_size=block_size,
                branches=branches,
                vouched=vouching_of(vouched).clients,
                root_loss=root_loss,
            )
        whole = root_loss is None or block_size is None
        require(whole, "block_size", "None with root_loss, which judges whole updates", block_size)
        self.root_loss = root_loss
        self.performance = tilt_of(
            performance, self._known_epsilon, mu=mu, max_tilt=max_tilt, preferences=preferences
        )
        self.server_optimizer = server_optimizer
        counts = is_whole(learning_threshold) and learning_threshold >= 0
        require(counts, "learning_threshold", "a whole number of at least 0", learning_threshold)
        self.learning_threshold = learning_threshold
        self.block_size = block_size
        outside = [not_in_gramian] if isinstance(not_in_gramian, str) else not_in_gramian
        self.not_in_gramian = tuple(outside)
        self.branching = branching_of(branches)
        self._gaps = ReportedGaps(loss_gap_key)
        self.vouching = vouching_of(vouched)
        splits = root_loss is not None
        self._models = BranchedRounds(
            self.branching, self.weighting, epsilon, self.vouching, splits=splits
        )
        self._round_log = RoundLog()
        self._num_asked = self._num_clients = 0
        self._memory: Memory = {}

    def __repr__(self) -> str:
        """Return the settings that decide how updates are aggregated."""
        settings = ", ".join(f"{name}={value}" for name, value in self._settings().items())
        return f"{type(self).__name__}({settings})"

    def log_settings(self) -> None:
        """Log the settings that decide how updates are aggregated."""
        log_settings(self._settings())

    def send_model(self, tensors: Iterable[bytes], names: Sequence[str] | None = None) -> None:
        """Remember the serialized global model that clients are sent, and when.

        Raises
        ------
        ValueError
            For a model without floating-point arrays, or ``not_in_gramian`` naming none of its arrays.
        """
        sent = SentModel.now(tensors, names, self.not_in_gramian)
        if self._sent is not None and not sent.has_form_of(self._sent):
            self._models.forget()
            self._memory = {}
        self._sent = sent

    def models_to_train(
        self, server_round: int, nodes: Sequence[str], num_clients: int = 0
    ) -> list[int]:
        """Return the branch whose model each node is sent for training, 0 for the global one.

        Parameters
        ----------
        server_round : int
        nodes : sequence of str
            Those that are sent a model.
        num_clients : int
            How many there are to draw from.
        """
        self._num_asked, self._num_clients = len(nodes), num_clients
        return self._models.send(server_round, nodes)

    def models_to_evaluate(self, nodes: Sequence[str]) -> list[int]:
        """Return the branch whose model each node would be given as its own."""
        return [self._models.home(node) for node in nodes]

    def serialized_branches(self) -> dict[int, list[bytes]]:
        """Return the model of each branch, serialized as the global one was sent."""
        models, sent = self._models.models, self._sent
        return (
            {} if sent is None else {number: sent.serialize(model) for number, model in models.items()}
        )

    @property
    def wants_introductions(self) -> bool:
        """Whether nodes should be introduced before the first round, as some are vouched for."""
        return bool(self.vouching.clients)

    def introduce(self, reported: Mapping[str, int]) -> None:
        """Learn nodes' partition ids, at the start or after `restore`; else, once they reply.

        Whoever is vouched for and not among them, or not alone, is named in a warning.
        """
        self._models.introduce({node: str(number) for node, number in reported.items()})
        if unknown := self._models.unknown_vouched(list(reported)):
            warn_of_unknown_vouched(unknown, by_partition_id=self.vouching.by_partition_id)

    def finish_round(
        self, server_round: int, replies: Sequence[EncodedReply], *, stage: str
    ) -> tuple[list[bytes] | None, list[int]]:
        """Make the next global model of the clients' replies; see `TrainingRounds`."""
        received = self._receive(replies, stage)
        read, usable, sent = received.read, received.usable, received.sent
        self._models.introduce({reply.node: reply.reported_id for reply in reversed(read)})
        homes = [self._models.home(reply.node) for reply in read]
        participation = Participation(self._num_clients, max(self._num_asked, len(read)), len(usable))
        enough = isinstance(self.weighting, Mean) or participation.is_enough(self._known_epsilon)
        missing = missing_protection(
            [replies[reply.position] for reply in usable], self.weighting, enough=enough
        )
        # Too few decide nothing: neither the model nor who is left out of it.
        usable = usable if enough else []
        self._models.withstand(
            participation.weighting(self.weighting), participation.epsilon_or_auto(self.epsilon)
        )
        stepping = self._stepping(server_round, usable, participation)
        steps = steps_of_round(self._models, stepping, sent, usable)
        left_out, changes = self._models.settle(server_round, sent, usable)
        verdicts = verdicts_of_round(len(received.usable), steps, left_out)
        failed = any(each.step is None for each in steps)
        protection = Protection(FAILED if failed else missing, num_far_apart(steps))
        clients = diagnose(read, verdicts, homes)
        self._tell(server_round, received, clients, changes, protection, stage=stage)
        main = take_steps(self._models, steps, sent, stage)
        self._memory = memory_after(steps, self._memory)
        if self.branching is not None:
            self._models.advance(sent.arrays if main is None else sent.as_received(main))
        return received.finished(main)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what is carried from round to round, apart from the global model, as named arrays."""
        remembered = {MEMORY + name: array for name, array in self._memory.items()}
        return {**self._models.state(), **remembered}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned, before the first round is sent."""
        remembered = {name for name in state if name.startswith(MEMORY)}
        self._memory = {name.removeprefix(MEMORY): state[name] for name in remembered}
        self._models.restore({name: state[name] for name in state if name not in remembered})

    def _log(self, diagnostics: RoundDiagnostics, stage: str) -> None:
        self._round_log.write(diagnostics, stage)

    def _stepping(
        self, server_round: int, usable: Sequence[ClientReply], participation: Participation
    ) -> Stepping:
        names = [reply.client for reply in usable]
        tilt = self.performance and self.performance.at_round(server_round, names)
        if isinstance(tilt, PerformanceAware):
            tilt = replace(tilt, epsilon=participation.epsilon(tilt.epsilon))
        return Stepping(
            tilt,
            self.server_learning_rate,
            self.server_optimizer,
            self.block_size,
            participation.epsilon(self._known_epsilon),
            self._gaps,
            self.root_loss,
            self.learning_threshold,
            self._memory,
        )

    def _settings(self) -> dict[str, Any]:
        return {
            "weighting": self.weighting,
            "withstands": withstood(self.epsilon),
            "performance": self.performance or "no tilt",
            "mu": getattr(self.performance, "mu", "not used") or "1 / m for m updates",
            "server_learning_rate": self.server_learning_rate,
            "server_optimizer": self.server_optimizer,
            "learning_threshold": self.learning_threshold or None,
            "block_size": self.block_size or "whole update",
            "branches": self.branching,
            "root_loss": self.root_loss and "of samples of the server's own",
            "vouched": ", ".join(sorted(map(str, self.vouching.clients))) or None,
            "not_in_gramian": ", ".join(str(item) for item in self.not_in_gramian) or None,
        }
