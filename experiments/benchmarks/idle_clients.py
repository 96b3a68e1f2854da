"""Flower clients that do not train, so that what is left of a round is what the engine costs.

A module of its own, as Ray's actors import it by name.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import ArrayRecord, Context, Message, MetricRecord, RecordDict, Scalar

PAPERS_NETWORK = [(30, 1, 5, 5), (30,), (30, 30, 5, 5), (30,), (200, 1470), (200,), (10, 200), (10,)]
Arrays = list[np.ndarray[Any, np.dtype[np.float32]]]


def initial_arrays() -> Arrays:
    """Return 319,520 float32 numbers in the arrays of the paper's network."""
    random = np.random.default_rng(0)
    return [random.standard_normal(shape, dtype=np.float32) for shape in PAPERS_NETWORK]


@functools.cache
def _noise() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(1).normal(0, 0.01, 400_000).astype(np.float32)


class IdleClient(NumPyClient):
    """Sends back a multiple of what it received, and when it held it."""

    def __init__(self, partition_id: int) -> None:
        self.partition_id = partition_id

    def fit(
        self, parameters: Arrays, config: dict[str, Scalar]
    ) -> tuple[Arrays, int, dict[str, Scalar]]:
        """Answer at once."""
        began = time.time()
        time.sleep(float(__import__("os").environ.get("IDLE", 0)))
        noise = _noise()[self.partition_id :]
        answer = [array + noise[: array.size].reshape(array.shape) for array in parameters]
        metrics: dict[str, Scalar] = {
            "loss_gap": 0.1,
            "partition_id": self.partition_id,
            "began": began,
            "ended": time.time(),
        }
        return answer, 1, metrics


def client_fn(context: Context) -> Client:
    """Return the client of a SuperNode."""
    return IdleClient(int(context.node_config["partition-id"])).to_client()


client_app = ClientApp(client_fn=client_fn)
message_app = ClientApp()


@message_app.train()
def train(message: Message, context: Context) -> Message:
    """Answer at once, in the Message API."""
    client = IdleClient(int(context.node_config["partition-id"]))
    received = message.content.array_records["arrays"].to_numpy_ndarrays()
    answer, _, metrics = client.fit(received, {})
    numbers = {name: float(value) for name, value in metrics.items()}  # type: ignore[arg-type]
    content = RecordDict(
        {
            "arrays": ArrayRecord(answer),
            "metrics": MetricRecord(numbers | {"num-examples": 1.0}),
        }
    )
    return Message(content, reply_to=message)
