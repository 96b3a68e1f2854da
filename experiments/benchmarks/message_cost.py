"""What becomes of a model on its way to a client and back, step by step, in Flower's own functions."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from flwr.common import Code, FitIns, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.compat.common import recorddict_compat as compat

from strategies.replies.client_replies import EncodedReply, read_replies
from strategies.replies.sent_model import SentModel

from .idle_clients import initial_arrays
from .timing import compare


def message_costs(repeats: int = 30) -> pd.DataFrame:
    """Return the milliseconds of each step for one client, the medians of some repetitions."""
    arrays = initial_arrays()
    instructions = FitIns(ndarrays_to_parameters(arrays), {"server_round": 1})
    reply = FitRes(Status(Code.OK, ""), ndarrays_to_parameters(arrays), 1, {"loss_gap": 0.1})
    record = compat.fitins_to_recorddict(instructions, keep_input=True)
    answer = compat.fitres_to_recorddict(reply, keep_input=True)
    sent = SentModel.now(instructions.parameters.tensors, None, ())
    encoded = EncodedReply("1", reply.parameters.tensors, {"partition_id": 1}, 1)
    steps: dict[str, Callable[[], object]] = {
        "server: message of the model": lambda: compat.fitins_to_recorddict(
            instructions, keep_input=True
        ),
        "Ray: pickle and unpickle it": lambda: _through_pickle(record),
        "client: read the model": lambda: parameters_to_ndarrays(
            compat.recorddict_to_fitins(record, keep_input=True).parameters
        ),
        "client: message of the reply": lambda: compat.fitres_to_recorddict(
            FitRes(reply.status, ndarrays_to_parameters(arrays), 1, reply.metrics), keep_input=False
        ),
        "Ray: pickle and unpickle the reply": lambda: _through_pickle(answer),
        "server: read the reply": lambda: compat.recorddict_to_fitres(answer, keep_input=True),
        "server: decode and check it": lambda: read_replies(
            [encoded], sent, loss_gap_key="loss_gap", client_id_key="partition_id"
        ),
    }
    seconds = compare(steps, repeats)["seconds"]
    size = sum(np.asarray(array).nbytes for array in arrays)
    title = f"a message of {size / 1e6:.2f} MB"
    return pd.DataFrame({title: seconds.index, "ms": 1e3 * seconds.to_numpy()})


def _through_pickle(content: Any) -> Any:
    return pickle.loads(pickle.dumps(content, protocol=5))
