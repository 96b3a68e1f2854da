"""One server step: from the clients' models to the next global model, without any of Flower.

``theta <- theta - server_learning_rate * g_hat`` with the client updates ``g_i = theta - theta_i``.

Not all arrays of a model can be treated so. Floating-point arrays that are left out of the Gramian
(such as BatchNorm's running statistics) are averaged with the weights that the others earned. Arrays of
integers or bool (such as BatchNorm's counters) become what clients of most weight agree on, if that is
more than malicious ones may have, and stay as they are otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .aggregation import Aggregation, aggregate
from .arrays import NDArrays, is_floating
from .epsilon import max_malicious
from .robust_learning_rate import robust_learning_rates
from .server_optimizers import ServerOptimizer, State
from .tilt import Tilt
from .updates import ClientUpdates
from .weightings import Weighting
from .weightings.defence import Known
from .winsorized_mean import winsorized_mean


@dataclass(frozen=True)
class ServerStep:
    """What one step came to.

    Attributes
    ----------
    model : list of ndarray
        The next global model, in the shapes and dtypes of the present one.
    aggregation : Aggregation
        Its ``mean`` is ``g_hat``: one array for each array in the Gramian.
    optimizer_state : tuple or None
        What the server optimiser carries on.
    """

    model: NDArrays
    aggregation: Aggregation[NDArrays]
    optimizer_state: State | None


def server_step(
    global_model: NDArrays,
    client_models: Sequence[NDArrays],
    weighting: Weighting,
    *,
    loss_gaps: Sequence[float] | None = None,
    performance: Tilt | None = None,
    block_size: int | None = None,
    server_learning_rate: float = 1.0,
    optimizer: ServerOptimizer | None = None,
    optimizer_state: State | None = None,
    not_in_gramian: Collection[int] = (),
    epsilon: float = 0.2,
    learning_threshold: int = 0,
    known: Known | None = None,
) -> ServerStep:
    """Aggregate the clients' models into the next global model.

    Parameters
    ----------
    global_model : list of ndarray
        The model that the clients started from.
    client_models : sequence of lists of ndarray
        Theirs, in its shapes; floating-point arrays are finite.
    weighting, loss_gaps, performance, block_size
        As for `aggregate`.
    server_learning_rate : float, default 1.0
        ``g_hat``, or what the optimiser makes of it, is multiplied with it.
    optimizer, optimizer_state : optional
        What is made of ``g_hat`` before the step, and its state after the round before.
    not_in_gramian : collection of int
        Floating-point arrays that take no part in finding weights. They become the clients' winsorized
        mean; learning rate and optimiser do not touch them.
    epsilon : float, default 0.2
        The fraction of malicious clients that this mean withstands, and who cannot set integers alone.
    learning_threshold : int, default 0
        That of `robust_learning_rate`; 0 for none.
    known : Known, optional
        Who sent the models, and what a `Defence` remembers.
    """
    floating = [k for k, array in enumerate(global_model) if is_floating(array)]
    inside = [k for k in floating if k not in not_in_gramian]
    updates = ClientUpdates.of_models(
        [global_model[k] for k in inside], [[model[k] for k in inside] for model in client_models]
    )
    told = replace(known or Known(), model=global_model, inside=inside)
    aggregation = aggregate(updates, weighting, loss_gaps, performance, block_size, told)
    direction = aggregation.mean
    if learning_threshold:
        rates = robust_learning_rates(updates, learning_threshold)
        direction = [rate * update for rate, update in zip(rates, direction, strict=True)]
    if optimizer is not None:
        doubles = [np.asarray(update, dtype=np.float64) for update in direction]
        direction, optimizer_state = optimizer.direction(doubles, optimizer_state)
    moves = dict(zip(inside, direction, strict=True))
    f = max_malicious(epsilon, len(client_models))
    model = next_model(global_model, client_models, aggregation, moves, server_learning_rate, f)
    for k in sorted(set(floating) - set(inside)):
        sent = [client[k] for client in client_models]
        mean = winsorized_mean(sent, aggregation.weights, epsilon)
        model[k] = mean.astype(global_model[k].dtype)
    return ServerStep(model, aggregation, optimizer_state)


def next_model(
    global_model: NDArrays,
    client_models: Sequence[NDArrays],
    aggregation: Aggregation[Any],
    moves: Mapping[int, NDArray[Any]],
    server_learning_rate: float,
    num_malicious: int,
) -> NDArrays:
    """Return the global model with some arrays moved, and those of integers or bool agreed on.

    Parameters
    ----------
    global_model : list of ndarray
    client_models : sequence of lists of ndarray
        In its shapes.
    aggregation : Aggregation
        Whose weights decide what most agree on.
    moves : mapping of int to ndarray
        By position in the model, what is subtracted times the learning rate, flat or in its shape.
    server_learning_rate : float
    num_malicious : int
        How many clients cannot set integers alone.
    """
    model = list(global_model)
    with np.errstate(over="ignore"):  # the caller checks that the model is finite
        for k, step in moves.items():
            array = global_model[k]
            wide = np.result_type(array, np.float64)
            moved = np.empty(array.shape, wide)  # in place: a model may be as large as memory allows
            np.multiply(step.reshape(array.shape), server_learning_rate, out=moved, dtype=wide)
            np.subtract(array, moved, out=moved)
            model[k] = moved.astype(array.dtype)
    for k, array in enumerate(global_model):
        if not is_floating(array):
            sent = [client[k].astype(array.dtype) for client in client_models]
            model[k] = _most_agreed_on(sent, aggregation, array, num_malicious)
    return model


def _most_agreed_on(
    arrays: Sequence[NDArray[Any]],
    aggregation: Aggregation[Any],
    present: NDArray[Any],
    num_malicious: int,
) -> NDArray[Any]:
    """Return the array that clients of the largest robust weight sent alike, bit for bit.

    The present one, where those have no more weight than ``num_malicious`` clients could have; in a tie,
    that of the client of largest final weight.
    """
    agreed: dict[bytes, tuple[float, float]] = {}
    holders: dict[bytes, NDArray[Any]] = {}
    for array, q, weight in zip(arrays, aggregation.robust_weights, aggregation.weights, strict=True):
        content = array.tobytes()
        total, largest = agreed.get(content, (0.0, 0.0))
        agreed[content] = (total + float(q), max(largest, float(weight)))
        holders[content] = array
    best = max(agreed, key=lambda content: (round(agreed[content][0], 12), agreed[content][1]))
    could_be_malicious = float(np.sort(aggregation.robust_weights)[::-1][:num_malicious].sum())
    return holders[best] if agreed[best][0] > could_be_malicious + 1e-12 else present
