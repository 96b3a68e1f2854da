"""Flower clients that do not train, so that what is left of a round is what the engine costs.

A module of its own, as Ray's actors import it by name.
"""

from __future__ import annotations

import functools
import os
import time
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Scalar
from numpy.typing import NDArray

from .aggregation_cost import PAPERS_NETWORK

NUM_PARAMETERS = 319_520
SECONDS_VARIABLE = "PAWBROFL_IDLE_SECONDS"
"""Names the environment variable that says how long a client sleeps; actors inherit it."""


def initial_arrays() -> list[NDArray[Any]]:
    """Return float32 numbers in the arrays of the paper's network."""
    random = np.random.default_rng(0)
    return [random.standard_normal(shape, dtype=np.float32) for shape in PAPERS_NETWORK]


@functools.cache
def _noise() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(0, 0.01, 2 * NUM_PARAMETERS).astype(np.float32)


class IdleClient(NumPyClient):
    """Sends back what it received and some noise, and says when it held it, and in which process."""

    def __init__(self, partition_id: int) -> None:
        self.partition_id = partition_id

    def fit(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[list[NDArray[Any]], int, dict[str, Scalar]]:
        """Answer after a sleep."""
        began = time.time()
        time.sleep(float(os.environ.get(SECONDS_VARIABLE, "0")))
        noise = _noise()[self.partition_id :]
        answer = [array + noise[: array.size].reshape(array.shape) for array in parameters]
        metrics: dict[str, Scalar] = {
            "loss_gap": 0.1,
            "partition_id": self.partition_id,
            "process": os.getpid(),
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
    """Answer after a sleep, in the Message API."""
    client = IdleClient(int(context.node_config["partition-id"]))
    received = message.content.array_records["arrays"].to_numpy_ndarrays()
    answer, _, _ = client.fit(received, {})
    metrics = MetricRecord({"num-examples": 1})
    return Message(RecordDict({"arrays": ArrayRecord(answer), "metrics": metrics}), reply_to=message)
