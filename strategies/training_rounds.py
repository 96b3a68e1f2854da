"""What strategies do in a round of training, whatever weighs the updates, without any of Flower."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar

from .arrays import NDArrays
from .checks import is_number, require
from .diagnostics import BranchDiagnostics, ClientDiagnostics, OnRound, RoundDiagnostics, tell
from .flower_log import log_aggregation
from .option_checks import check_callback, check_names, explained
from .protection import Protection
from .replies.client_replies import ClientReply, EncodedReply, read_replies
from .replies.sent_model import SentModel
from .reported_metrics import check_options_of_flower

NO_BRANCHES = BranchDiagnostics()


@dataclass(frozen=True)
class ReceivedRound:
    """A round's replies, read.

    Attributes
    ----------
    sent : SentModel
        What the clients were sent.
    read : list of ClientReply
        All replies, in the order in which they are aggregated.
    received_at : float
        When the last came in, in the seconds of ``time.perf_counter``.
    """

    sent: SentModel
    read: list[ClientReply]
    received_at: float

    @property
    def usable(self) -> list[ClientReply]:
        """The replies that can be aggregated."""
        return [reply for reply in self.read if not reply.left_out]

    def finished(self, model: NDArrays | None) -> tuple[list[bytes] | None, list[int]]:
        """Return what `TrainingRounds.finish_round` does, with the next global model."""
        aggregated = sorted(reply.position for reply in self.usable)
        return None if model is None else self.sent.serialize(model), aggregated


class TrainingRounds:
    """The options that all strategies have, and how replies are read and told of.

    Parameters
    ----------
    server_learning_rate, loss_key, loss_gap_key, client_id_key, on_round
        See `RobustRounds`.
    **flower_options
        All options of Flower's ``FedAvg`` of the same API.
    """

    # Names of Flower's options that hold fractions, and metrics functions with their empty result.
    fractions: ClassVar[tuple[str, ...]]
    metrics_functions: ClassVar[dict[str, Callable[[], Any]]]

    def __init_subclass__(cls, **options: Any) -> None:
        """See that whatever configures training sends a model, also where a subclass overrides it."""
        super().__init_subclass__(**options)
        if cls.finish_round is TrainingRounds.finish_round:
            return
        for name in ("configure_fit", "configure_train"):
            configure = getattr(cls, name, None)
            if configure is not None and not hasattr(configure, "sends"):
                setattr(cls, name, _sending(configure))

    def __init__(
        self,
        *flower_positional: Any,
        server_learning_rate: float,
        loss_gap_key: str,
        loss_key: str,
        client_id_key: str,
        on_round: OnRound | None,
        **flower_options: Any,
    ) -> None:
        try:
            super().__init__(*flower_positional, **flower_options)
        except TypeError as problem:
            raise explained(type(self), flower_options, problem) from problem
        check_options_of_flower(self, self.fractions, self.metrics_functions)
        check_names(loss_gap_key=loss_gap_key, loss_key=loss_key, client_id_key=client_id_key)
        check_callback(on_round)
        positive = is_number(server_learning_rate) and 0 < server_learning_rate < math.inf
        require(positive, "server_learning_rate", "above 0", server_learning_rate)
        self.server_learning_rate = server_learning_rate
        self.loss_gap_key = loss_gap_key
        self.loss_key = loss_key
        self.client_id_key = client_id_key
        self.on_round = on_round
        self._sent: SentModel | None = None

    @abstractmethod
    def finish_round(
        self, server_round: int, replies: Sequence[EncodedReply], *, stage: str
    ) -> tuple[list[bytes] | None, list[int]]:
        """Make the next global model of the clients' replies.

        Whatever they hold, the result is a finite model or none; what is wrong with one is logged.

        Parameters
        ----------
        server_round : int
            Number of the round, from 1.
        replies : sequence of EncodedReply
            At least one, in any order.
        stage : str
            What log lines begin with, such as ``aggregate_fit``.

        Returns
        -------
        tensors : list of bytes, or None
            The next global model, serialized; None where the present one is kept.
        aggregated : list of int
            Which of the replies, as they came in, were aggregated; in ascending order.
        """

    def _receive(self, replies: Sequence[EncodedReply], stage: str) -> ReceivedRound:
        if self._sent is None:
            raise RuntimeError(f"{stage} was called before the model was sent")
        received_at = time.perf_counter()
        read = read_replies(
            replies,
            self._sent,
            loss_gap_key=self.loss_gap_key,
            client_id_key=self.client_id_key,
            loss_key=self.loss_key,
        )
        return ReceivedRound(self._sent, read, received_at)

    def _tell(
        self,
        server_round: int,
        received: ReceivedRound,
        clients: Sequence[ClientDiagnostics],
        branches: BranchDiagnostics = NO_BRANCHES,
        protection: Protection = Protection(),  # noqa: B008
        *,
        stage: str,
    ) -> None:
        """Tell the log and ``on_round`` what became of a round's replies."""
        diagnostics = RoundDiagnostics(
            server_round=server_round,
            clients=tuple(clients),
            training_seconds=received.received_at - received.sent.sent_at,
            aggregation_seconds=time.perf_counter() - received.received_at,
            branches=branches,
            protection=protection,
        )
        self._log(diagnostics, stage)
        if self.on_round is not None:
            tell(self.on_round, diagnostics)

    def _log(self, diagnostics: RoundDiagnostics, stage: str) -> None:
        log_aggregation(diagnostics, stage)


def _sending(configure: Callable[..., Iterable[Any]]) -> Callable[..., list[Any]]:
    """Return what configures training, which raises before clients train where no model was sent."""

    @wraps(configure)
    def sending(strategy: TrainingRounds, *arguments: Any, **options: Any) -> list[Any]:
        before = strategy._sent
        instructions = list(configure(strategy, *arguments, **options))
        if strategy._sent is before:
            told = f"{configure.__qualname__} must call super().{configure.__name__}"
            raise RuntimeError(f"{told}, which notes the model that clients are sent")
        return instructions

    sending.sends = True  # type: ignore[attr-defined]
    return sending
