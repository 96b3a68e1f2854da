"""Flower's own robust strategies, to compare with: coordinate-wise median and trimmed mean.

They have neither weights per client nor a tilt; the records hold NaN where PAwBRoFL's have weights, and
nobody is judged.
"""

from __future__ import annotations

import math
import time
from typing import Any

from flwr.common import FitIns, FitRes, Parameters, Scalar
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import FedAvg, FedMedian, FedTrimmedAvg

from strategies.diagnostics import ClientDiagnostics, OnRound, RoundDiagnostics
from strategies.epsilon import max_malicious
from strategies.replies.client_replies import reported_number


class _Recorded(FedAvg):
    """Tells of every round what PAwBRoFL would, as far as there is anything to tell."""

    def __init__(self, *, client_id_key: str, on_round: OnRound, **options: Any) -> None:
        super().__init__(**options)
        self._client_id_key = client_id_key
        self._on_round = on_round
        self._sent_at = 0.0

    def configure_fit(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, FitIns]]:
        """Sample clients, and remember when."""
        self._sent_at = time.perf_counter()
        return super().configure_fit(server_round, parameters, client_manager)

    def aggregate_fit(
        self,
        server_round: int,
        results: list[tuple[ClientProxy, FitRes]],
        failures: list[tuple[ClientProxy, FitRes] | BaseException],
    ) -> tuple[Parameters | None, dict[str, Scalar]]:
        """Aggregate, in the clients' order, and tell of the round."""
        received_at = time.perf_counter()
        results = sorted(results, key=lambda reply: int(reply[1].metrics[self._client_id_key]))
        aggregated = super().aggregate_fit(server_round, results, failures)
        now = time.perf_counter()
        clients = tuple(
            ClientDiagnostics(
                client=str(result.metrics[self._client_id_key]),
                robust_weight=math.nan,
                weight=math.nan,
                loss_gap=reported_number(result.metrics, "loss_gap"),
                judged_malicious=False,
                num_examples=result.num_examples,
                node=node.cid,
            )
            for node, result in results
        )
        self._on_round(
            RoundDiagnostics(server_round, clients, received_at - self._sent_at, now - received_at)
        )
        return aggregated


class RecordedMedian(_Recorded, FedMedian):
    """Flower's coordinate-wise median."""


class RecordedTrimmedAverage(_Recorded, FedTrimmedAvg):
    """Flower's coordinate-wise trimmed mean, which trims as many as may be malicious at either end."""

    def __init__(self, *, epsilon: float, **options: Any) -> None:
        super().__init__(**options)
        self._epsilon = epsilon

    def aggregate_fit(
        self,
        server_round: int,
        results: list[tuple[ClientProxy, FitRes]],
        failures: list[tuple[ClientProxy, FitRes] | BaseException],
    ) -> tuple[Parameters | None, dict[str, Scalar]]:
        """Aggregate, with ``beta`` for the number of clients that answered."""
        m = max(len(results), 1)
        self.beta = (max_malicious(self._epsilon, m) + 0.25) / m  # Flower rounds ``beta m`` down
        return super().aggregate_fit(server_round, results, failures)


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
