"""What a Flower strategy of a fair aggregator does in a round of training, without any of Flower."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray, is_reasonable
from .branch_state import MAIN
from .diagnostics import ClientDiagnostics, OnRound, Verdict, diagnose
from .fair_step import FairStep, fair_step
from .fairness.fair_weighting import FairWeighting
from .flower_log import FLOWER_LOG
from .replies.client_replies import ClientReply, EncodedReply
from .replies.sent_model import SentModel
from .training_rounds import TrainingRounds


class FairRounds(TrainingRounds):
    """Aggregation by a `FairWeighting`, round by round; hostile replies end no round.

    Parameters
    ----------
    weighting : FairWeighting
        Finds the weights.
    server_learning_rate : float, default 1.0
        The step is multiplied with it; above 0.
    loss_key : str, default "loss_before"
        Name of the metric that holds a client's mean loss on its own training data under the model that
        it received.
    loss_gap_key : str, default "loss_gap"
        Name of the metric that holds a client's optimality gap, which is told of and decides nothing.
    client_id_key : str, default "partition_id"
        Name of the metric that holds a client's partition id. A weighting's state belongs to it.
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
        weighting: FairWeighting,
        *,
        server_learning_rate: float = 1.0,
        loss_key: str = "loss_before",
        loss_gap_key: str = "loss_gap",
        client_id_key: str = "partition_id",
        on_round: OnRound | None = None,
        **flower_options: Any,
    ) -> None:
        super().__init__(
            server_learning_rate=server_learning_rate,
            loss_gap_key=loss_gap_key,
            loss_key=loss_key,
            client_id_key=client_id_key,
            on_round=on_round,
            **flower_options,
        )
        self.weighting = weighting
        self._num_clients = 0
        self._state_of: dict[str, float] = {}
        self._warned_of_losses = False

    def __repr__(self) -> str:
        """Return the settings that decide how updates are aggregated."""
        rate = self.server_learning_rate
        return f"{type(self).__name__}({self.weighting}, server_learning_rate={rate})"

    def send_model(
        self, tensors: Iterable[bytes], names: Sequence[str] | None = None, *, num_clients: int
    ) -> None:
        """Remember the serialized global model that clients are sent, and when.

        Parameters
        ----------
        tensors : iterable of bytes
        names : sequence of str, optional
            What the log calls its arrays.
        num_clients : int
            How many clients there are, whether they are sent it or not; the first number counts.

        Raises
        ------
        ValueError
            For a model without floating-point arrays.
        """
        self._sent = SentModel.now(tensors, names, ())
        self._num_clients = self._num_clients or num_clients

    def finish_round(
        self, server_round: int, replies: Sequence[EncodedReply], *, stage: str
    ) -> tuple[list[bytes] | None, list[int]]:
        """Make the next global model of the clients' replies; see `TrainingRounds`."""
        received = self._receive(replies, stage)
        usable = received.usable
        step = self._step(received.sent, usable, stage) if usable else None
        self._tell(server_round, received, _diagnosed(received.read, step), stage=stage)
        if step is None:
            FLOWER_LOG.warning("%s: no reply can be aggregated, the model is kept", stage)
            return received.finished(None)
        if not all(is_reasonable(array) for array in step.model):
            FLOWER_LOG.warning("%s: the new model is not finite, the old one is kept", stage)
            return received.finished(None)
        self._carry_on(usable, step.state)
        return received.finished(step.model)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what is carried from round to round, apart from the model, as named arrays."""
        if not self._state_of:
            return {}
        return {
            "clients": np.array(list(self._state_of)),
            "carried": np.array(list(self._state_of.values())),
            "num_clients": np.array(self._num_clients),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned, before the first round is sent."""
        clients, carried = state.get("clients", ()), state.get("carried", ())
        self._num_clients = int(state.get("num_clients", 0))
        self._state_of = {
            str(client): float(value) for client, value in zip(clients, carried, strict=True)
        }

    def _step(self, sent: SentModel, usable: Sequence[ClientReply], stage: str) -> FairStep:
        if self.weighting.uses_losses:
            self._warn_of_losses(usable, stage)
        return fair_step(
            sent.arrays,
            [reply.arrays for reply in usable],
            self.weighting,
            self._carried(usable),
            np.array([reply.loss for reply in usable]),
            self.server_learning_rate,
        )

    def _carried(self, usable: Sequence[ClientReply]) -> FloatArray:
        """Return the clients' states; those who claim one id share its state."""
        initial = self.weighting.init(self._num_clients)
        if not initial.size:
            return initial
        claims = Counter(reply.client for reply in usable)
        return np.array(
            [self._state_of.get(reply.client, initial[0]) / claims[reply.client] for reply in usable]
        )

    def _carry_on(self, usable: Sequence[ClientReply], state: FloatArray) -> None:
        if not state.size:
            return
        for reply in usable:
            self._state_of[reply.client] = 0.0
        for reply, value in zip(usable, state, strict=True):
            self._state_of[reply.client] += float(value)

    def _warn_of_losses(self, usable: Sequence[ClientReply], stage: str) -> None:
        missing = [reply.client for reply in usable if not math.isfinite(reply.loss)]
        if missing and len(missing) < len(usable):
            FLOWER_LOG.warning(
                "%s: no weight for clients %s, which report no metric `%s` that is a finite number",
                stage,
                ", ".join(missing),
                self.loss_key,
            )
        if len(missing) == len(usable) and not self._warned_of_losses:
            self._warned_of_losses = True
            FLOWER_LOG.warning(
                "%s: no client reports a metric `%s` that is a finite number, so the plain mean is "
                "taken. Add to the metrics that training returns: the mean loss on the client's own "
                "training data under the received model.",
                stage,
                self.loss_key,
            )


def _diagnosed(read: Sequence[ClientReply], step: FairStep | None) -> tuple[ClientDiagnostics, ...]:
    """Say of each reply what became of it: nobody is judged, but for what could not be read."""
    shares = () if step is None else step.shares
    verdicts = [Verdict(math.nan, float(share), judged_malicious=False) for share in shares]
    told = diagnose(read, verdicts, [MAIN] * len(read))
    return tuple(replace(client, robust_weight=math.nan) for client in told)
