"""What a Flower strategy of a fair aggregator does in a round of training, without any of Flower."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray, is_reasonable
from .checks import require
from .diagnostics import ClientDiagnostics, OnRound, RoundDiagnostics
from .fair_step import FairStep, fair_step
from .fairness.fair_weighting import FairWeighting
from .flower_log import FLOWER_LOG
from .replies.client_replies import ClientReply, EncodedReply, read_replies
from .replies.sent_model import SentModel
from .reported_metrics import check_options_of_flower


class FairRounds:
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

    fractions: ClassVar[tuple[str, ...]]
    metrics_functions: ClassVar[dict[str, Callable[[], Any]]]

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
        super().__init__(**flower_options)
        check_options_of_flower(self, self.fractions, self.metrics_functions)
        positive = 0 < server_learning_rate < math.inf
        require(positive, "server_learning_rate", "above 0", server_learning_rate)
        self.weighting = weighting
        self.server_learning_rate = server_learning_rate
        self.loss_key = loss_key
        self.loss_gap_key = loss_gap_key
        self.client_id_key = client_id_key
        self.on_round = on_round
        self._sent: SentModel | None = None
        self._num_clients = 0
        self._state_of: dict[str, float] = {}
        self._warned_of_losses = False

    def __repr__(self) -> str:
        """Return the settings that decide how updates are aggregated."""
        rate = self.server_learning_rate
        return f"{type(self).__name__}({self.weighting}, server_learning_rate={rate})"

    def send_model(self, tensors: Iterable[bytes], *, num_clients: int) -> None:
        """Remember the serialized global model that clients are sent, and when.

        Parameters
        ----------
        tensors : iterable of bytes
        num_clients : int
            How many clients there are, whether they are sent it or not; the first number counts.

        Raises
        ------
        ValueError
            For a model without floating-point arrays.
        """
        self._sent = SentModel.now(tensors, None, ())
        self._num_clients = self._num_clients or num_clients

    def finish_round(
        self, server_round: int, replies: Sequence[EncodedReply], *, stage: str
    ) -> tuple[list[bytes] | None, list[int]]:
        """Make the next global model of the clients' replies.

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
        if self._sent is None:
            raise RuntimeError(f"{stage} was called before the model was sent")
        received_at = time.perf_counter()
        read = read_replies(
            replies,
            self._sent.arrays,
            loss_gap_key=self.loss_gap_key,
            client_id_key=self.client_id_key,
            loss_key=self.loss_key,
        )
        usable = [reply for reply in read if not reply.left_out]
        step = self._step(self._sent, usable, stage) if usable else None
        diagnostics = RoundDiagnostics(
            server_round=server_round,
            clients=tuple(_diagnosed(read, () if step is None else step.shares)),
            training_seconds=received_at - self._sent.sent_at,
            aggregation_seconds=time.perf_counter() - received_at,
        )
        self._log(diagnostics, stage)
        if self.on_round is not None:
            self.on_round(diagnostics)
        aggregated = sorted(reply.position for reply in usable)
        if step is None:
            FLOWER_LOG.warning("%s: no reply can be aggregated, the model is kept", stage)
            return None, aggregated
        if not all(is_reasonable(array) for array in step.model):
            FLOWER_LOG.warning("%s: the new model is not finite, the old one is kept", stage)
            return None, aggregated
        self._carry_on(usable, step.state)
        return self._sent.serialize(step.model), aggregated

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

    def _log(self, diagnostics: RoundDiagnostics, stage: str) -> None:
        left_out = [client for client in diagnostics.clients if client.left_out]
        for client in left_out:
            FLOWER_LOG.warning("%s: left out client %s: %s", stage, client.client, client.left_out)
        FLOWER_LOG.info(
            "%s: aggregated %s updates in %.2f s",
            stage,
            len(diagnostics.clients) - len(left_out),
            diagnostics.aggregation_seconds,
        )


def _diagnosed(read: Sequence[ClientReply], shares: Iterable[float]) -> Iterable[ClientDiagnostics]:
    """Say of each reply what became of it: nobody is judged, but for what could not be read."""
    share_of = iter(shares)
    for reply in read:
        yield ClientDiagnostics(
            client=reply.client,
            robust_weight=math.nan,
            weight=0.0 if reply.left_out else float(next(share_of)),
            loss_gap=reply.loss_gap,
            judged_malicious=bool(reply.left_out),
            num_examples=reply.num_examples,
            left_out=reply.left_out,
        )
