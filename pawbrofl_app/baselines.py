"""Flower's own robust strategies, to compare with: coordinate-wise median and trimmed mean.

They have neither weights per client nor a tilt; the records hold NaN where PAwBRoFL's have weights, and
nobody is judged but who sends no model. Such replies, which would end a run of Flower's, are left out as
PAwBRoFL leaves them out.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

from flwr.common import FitIns, FitRes, Parameters, Scalar, ndarrays_to_parameters
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import FedAvg, FedMedian, FedTrimmedAvg

from strategies.branch_state import MAIN
from strategies.diagnostics import OnRound, RoundDiagnostics, Verdict, diagnose
from strategies.epsilon import max_malicious
from strategies.flower_log import log_aggregation
from strategies.replies.client_replies import EncodedReply, read_replies
from strategies.replies.sent_model import SentModel

NOT_JUDGED = Verdict(math.nan, math.nan, False)


class _Recorded(FedAvg):
    """Tells of every round what PAwBRoFL would, as far as there is anything to tell."""

    _sent: SentModel

    def __init__(self, *, client_id_key: str, on_round: OnRound, **options: Any) -> None:
        super().__init__(**options)
        self._client_id_key = client_id_key
        self._on_round = on_round

    def configure_fit(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, FitIns]]:
        """Sample clients, and remember what they are sent and when."""
        self._sent = SentModel.now(parameters.tensors, None, ())
        return super().configure_fit(server_round, parameters, client_manager)

    def aggregate_fit(
        self,
        server_round: int,
        results: list[tuple[ClientProxy, FitRes]],
        failures: list[tuple[ClientProxy, FitRes] | BaseException],
    ) -> tuple[Parameters | None, dict[str, Scalar]]:
        """Aggregate the replies that are models, in the clients' order, and tell of the round."""
        received_at = time.perf_counter()
        replies = [
            EncodedReply(node.cid, fit.parameters.tensors, fit.metrics, fit.num_examples)
            for node, fit in results
        ]
        read = read_replies(
            replies, self._sent, loss_gap_key="loss_gap", client_id_key=self._client_id_key
        )
        usable = []
        for reply in read:
            node, fit = results[reply.position]
            if not reply.left_out:
                usable.append((node, replace(fit, parameters=ndarrays_to_parameters(reply.arrays))))
        aggregated = self._aggregate(server_round, usable, failures)
        seconds = received_at - self._sent.sent_at, time.perf_counter() - received_at
        clients = diagnose(read, [NOT_JUDGED] * len(usable), [MAIN] * len(read))
        diagnostics = RoundDiagnostics(server_round, clients, *seconds)
        log_aggregation(diagnostics, "aggregate_fit")
        self._on_round(diagnostics)
        return aggregated

    def _aggregate(
        self,
        server_round: int,
        usable: list[tuple[ClientProxy, FitRes]],
        failures: list[tuple[ClientProxy, FitRes] | BaseException],
    ) -> tuple[Parameters | None, dict[str, Scalar]]:
        return super().aggregate_fit(server_round, usable, failures)


class RecordedMedian(_Recorded, FedMedian):
    """Flower's coordinate-wise median."""


class RecordedTrimmedAverage(_Recorded, FedTrimmedAvg):
    """Flower's coordinate-wise trimmed mean, which trims as many as may be malicious at either end."""

    def __init__(self, *, epsilon: float, **options: Any) -> None:
        super().__init__(**options)
        self._epsilon = epsilon

    def _aggregate(
        self,
        server_round: int,
        usable: list[tuple[ClientProxy, FitRes]],
        failures: list[tuple[ClientProxy, FitRes] | BaseException],
    ) -> tuple[Parameters | None, dict[str, Scalar]]:
        """Aggregate, with ``beta`` for the number of models."""
        m = max(len(usable), 1)
        self.beta = (max_malicious(self._epsilon, m) + 0.25) / m  # Flower rounds ``beta m`` down
        return super()._aggregate(server_round, usable, failures)


BASELINES: dict[str, type[RecordedMedian | RecordedTrimmedAverage]] = {
    "fed-median": RecordedMedian,
    "fed-trimmed-avg": RecordedTrimmedAverage,
}


def baseline(name: str, epsilon: float, **options: Any) -> FedAvg:
    """Return one of `BASELINES`; the trimmed mean withstands epsilon.

    Parameters
    ----------
    name : str
    epsilon : float
        The fraction of malicious clients to withstand.
    **options
        ``client_id_key``, the metric by which clients name themselves; ``on_round``, called with every
        round's diagnostics; and those of Flower's strategies.
    """
    if name == "fed-trimmed-avg":
        options["epsilon"] = epsilon
    return BASELINES[name](**options)
