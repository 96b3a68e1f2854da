"""One server step of a fair aggregator: ``theta <- theta - sum_i weights_i g_i``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .aggregation import Aggregation
from .arrays import FloatArray, NDArrays, is_floating
from .fairness.fair_weighting import FairWeighting
from .gramian import gramian_of, weighted_sum
from .server_step import next_model
from .updates import ClientUpdates


@dataclass(frozen=True)
class FairStep:
    """What one step came to.

    Attributes
    ----------
    model : list of ndarray
        The next global model, in the shapes and dtypes of the present one.
    shares : ndarray of shape (m,)
        The clients' weights, normalised to sum to one.
    state : ndarray
        What the weighting carries on.
    """

    model: NDArrays
    shares: FloatArray
    state: FloatArray


def fair_step(
    global_model: NDArrays,
    client_models: Sequence[NDArrays],
    weighting: FairWeighting,
    state: FloatArray,
    losses: FloatArray,
    server_learning_rate: float = 1.0,
) -> FairStep:
    """Aggregate the clients' models into the next global model.

    All floating-point arrays take part. Arrays of integers or bool are taken as they are from whom most
    weight agrees with.

    Parameters
    ----------
    global_model : list of ndarray
        The model that the clients started from.
    client_models : sequence of m lists of ndarray
        Theirs, in its shapes; floating-point arrays are finite.
    weighting, state
        As for `FairWeighting.apply`.
    losses : ndarray of shape (m,)
        Each client's loss under the received model, NaN where it is not known. Where none is and the
        weighting needs them, the step is the plain mean.
    server_learning_rate : float, default 1.0
        The step is multiplied with it.
    """
    floating = [k for k, array in enumerate(global_model) if is_floating(array)]
    rows = ClientUpdates.of_models(
        [global_model[k] for k in floating], [[model[k] for k in floating] for model in client_models]
    )
    (whole,) = rows.blocks(None)
    m = rows.num_clients
    weights = np.full(m, 1 / m)
    if not weighting.uses_losses:
        losses = np.zeros(m)
    if np.isfinite(losses).any():
        with np.errstate(all="ignore"):  # clients may report any number
            weights, state = weighting.apply(state, gramian_of(rows, whole).unshifted, losses)
    step = np.zeros(rows.num_coordinates)
    weighted_sum(rows, whole, weights, step, np.float64)
    total = float(weights.sum())
    shares = weights / total if total > 0 else np.zeros(m)
    ends = np.cumsum([global_model[k].size for k in floating])
    moves = dict(zip(floating, np.split(step, ends[:-1]), strict=True))
    agreement = Aggregation(step, shares, shares, np.full(m, ""))
    model = next_model(global_model, client_models, agreement, moves, server_learning_rate, 0)
    return FairStep(model, shares, state)
