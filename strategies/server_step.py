"""One server step: from the clients' models to the next global model, without any of Flower.

``theta <- theta - server_learning_rate * g_hat`` with the client updates ``g_i = theta - theta_i``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .aggregation import Aggregation, aggregate
from .performance_aware import PerformanceAware
from .weightings import Weighting

NDArrays = list[NDArray[Any]]


def client_updates(global_model: NDArrays, client_models: Sequence[NDArrays]) -> list[NDArrays]:
    """Turn client models into updates ``theta - theta_i`` of the floating-point arrays, in place.

    The arrays of ``client_models`` are overwritten, as a second copy of all models would be the
    largest thing in the server's memory.
    """
    floating = _floating(global_model)
    updates = []
    for model in client_models:
        update = []
        for k in floating:
            array = model[k]
            out = array if array.flags.writeable and array.dtype == global_model[k].dtype else None
            update.append(np.asarray(np.subtract(global_model[k], array, out=out)))
        updates.append(update)
    return updates


def server_step(
    global_model: NDArrays,
    client_models: Sequence[NDArrays],
    weighting: Weighting,
    *,
    loss_gaps: Sequence[float] | None,
    performance: PerformanceAware | None,
    block_size: int | None,
    server_learning_rate: float,
) -> tuple[NDArrays, Aggregation]:
    """Aggregate the clients' models into the next global model.

    Arrays that do not hold floating-point numbers (such as BatchNorm's counters) are not averaged:
    they are taken from the client of largest weight.

    Returns
    -------
    model : list of ndarray
        In the shapes and dtypes of ``global_model``.
    aggregation : Aggregation
        Its ``mean`` is the update that was applied.
    """
    updates = client_updates(global_model, client_models)
    aggregation = aggregate(updates, weighting, loss_gaps, performance, block_size)
    favourite = client_models[int(np.argmax(aggregation.weights))]
    model = [array.copy() for array in favourite]
    for k, update in zip(_floating(global_model), aggregation.mean, strict=True):
        step = server_learning_rate * update.astype(np.float64)
        model[k] = (global_model[k] - step).astype(global_model[k].dtype)
    return model, aggregation


def _floating(model: NDArrays) -> list[int]:
    return [k for k, array in enumerate(model) if np.issubdtype(array.dtype, np.floating)]
