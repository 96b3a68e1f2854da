"""One aggregation of client updates: robust weights, performance-aware tilt, norm matching.

Equations (7) to (9) of PAwBRoFL (Fernando, Xiong, Patel, Stoll)::

    g_BR   = sum_i q_i g_i                     q from a robust weighting          (7)
    g_PABR = sum_i q_i softmax(z)_i g_i        z_i = q_i gap_i / mu               (8)
    g_hat  = |g_BR| g_PABR / |g_PABR|                                             (9)

The updates are read twice: for their Gramian and for the final weighted sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray, NDArrays
from .checks import require
from .epsilon import Epsilon
from .gramian import Gramian, gramian_of, single_precision_gramian, weighted_sum
from .tilt import Tilt
from .updates import ClientUpdates, Updates
from .weightings import RECOMMENDED, Weighting, weighting_named
from .weightings.defence import Defence, Defended, Known, Memory, Seen
from .weightings.informed import InformedWeighting
from .weightings.parts.outliers import num_far_apart

TOLERANCE = 1e-6
"""How far robust weights may be from the sum one."""

Form = TypeVar("Form", NDArray[Any], NDArrays)
"""A matrix's updates have an array as their mean, lists of arrays a list."""


@dataclass(frozen=True)
class Aggregation(Generic[Form]):
    """What came out of one aggregation of m updates.

    Attributes
    ----------
    mean : ndarray of shape (d,), or list of arrays
        ``g_hat``, in the form, shapes and dtypes of one client's update.
    robust_weights : ndarray of shape (m,), float64
        q, summing to one. With blocks, their mean over the coordinates.
    weights : ndarray of shape (m,), float64
        What each update was multiplied with in ``mean``. With blocks, their mean over the coordinates.
    brought_back_by : ndarray of shape (m,), str
        What made updates count that would be left out, such as "vouching"; with blocks, in any of them.
    num_far_apart : int
        How many updates count though they are far from most others; with blocks, not looked for.
    memory : mapping of str to ndarray
        What a `Defence` is to be told in the next round.
    """

    mean: Form
    robust_weights: FloatArray
    weights: FloatArray
    brought_back_by: NDArray[np.str_]
    num_far_apart: int = 0
    memory: Memory = field(default_factory=dict)


@overload
def aggregate(
    updates: NDArray[Any],
    weighting: Weighting,
    loss_gaps: Sequence[float] | FloatArray | None = None,
    performance: Tilt | None = None,
    block_size: int | None = None,
    known: Known | None = None,
) -> Aggregation[NDArray[Any]]: ...
@overload
def aggregate(
    updates: Sequence[Sequence[NDArray[Any]]] | ClientUpdates,
    weighting: Weighting,
    loss_gaps: Sequence[float] | FloatArray | None = None,
    performance: Tilt | None = None,
    block_size: int | None = None,
    known: Known | None = None,
) -> Aggregation[NDArrays]: ...
def aggregate(
    updates: Updates | ClientUpdates,
    weighting: Weighting,
    loss_gaps: Sequence[float] | FloatArray | None = None,
    performance: Tilt | None = None,
    block_size: int | None = None,
    known: Known | None = None,
) -> Aggregation[Any]:
    """Aggregate client updates robustly and, if asked, with an eye to how each client is served.

    Parameters
    ----------
    updates : ndarray of shape (m, d), or sequence of m sequences of arrays
        The clients' updates, any floating dtype. An update that holds NaN, infinity or numbers whose
        squares overflow float64 gets no weight.
    weighting : Weighting
        Finds the robust weights q.
    loss_gaps : array-like of shape (m,), optional
        The clients' optimality gaps. Without them nothing is tilted.
    performance : Tilt, optional
        Such as `PerformanceAware`. Without it, ``mean`` is ``g_BR``.
    block_size : int, optional
        Aggregate every block of that many coordinates of every array on its own, as the authors'
        code does with 1000. By default the whole update is one block.
    known : Known, optional
        What a `Defence` goes by beside the updates: who sent them, what it remembers, the model.

    Returns
    -------
    Aggregation

    Raises
    ------
    ValueError
        For updates of differing shapes, a wrong number of gaps, a block size below 1 or with a
        `Defence`, where no update is finite, or where the weighting returns anything but weights.
    """
    rows = updates if isinstance(updates, ClientUpdates) else ClientUpdates(updates)
    m = rows.num_clients
    gaps = None if loss_gaps is None else np.asarray(loss_gaps, dtype=np.float64)
    if gaps is not None and gaps.shape != (m,):
        raise ValueError(f"loss_gaps must hold one number for each of {m} updates, got {gaps.shape}")
    require(block_size is None or block_size >= 1, "block_size", "at least 1", block_size)
    whole = block_size is None or not isinstance(weighting, Defence)
    require(whole, "block_size", f"None with {weighting!r}, which sees whole updates", block_size)
    order = rows.canonical_order()
    rows = rows.select(order)
    single = single_precision_gramian(rows) if block_size is None else None
    usable = rows.finite_clients() if single is None else single[1]
    if not len(usable):
        raise ValueError("updates must hold at least one client's finite update, got none")
    rows, usable = rows.select(usable), order[usable]
    precision = np.float64 if single is None else np.float32
    mean = np.zeros(rows.num_coordinates, rows.dtype)
    if isinstance(weighting, InformedWeighting):
        weighting = weighting.among(usable)
    known = (known or Known()).among(usable)
    robust_weights, weights, far_apart = np.zeros(m), np.zeros(m), 0
    brought_back_by = np.full(m, "", dtype="<U16")
    for block in rows.blocks(block_size):
        gramian = gramian_of(rows, block) if single is None else single[0]
        if isinstance(weighting, InformedWeighting):
            q, back = weighting.weigh(gramian.shifted)
            brought_back_by[usable[back != ""]] = back[back != ""]
            defended = Defended(q)
        elif isinstance(weighting, Defence):
            defended = weighting.defend(Seen(gramian.unshifted, rows, known))
        else:
            defended = Defended(weighting(gramian.shifted))
        q = _checked(defended.weights, weighting, len(usable))
        factors = 1.0 if defended.factors is None else defended.factors
        final = q * factors
        if performance is not None and gaps is not None:
            final = norm_matched(gramian, final, performance(q, gaps[usable], usable) * factors)
        weighted_sum(rows, block, final, mean, precision)
        if defended.noise is not None:
            mean += defended.noise.drawn(len(block)).astype(mean.dtype)
        far_apart = num_far_apart(gramian.shifted, q) if block_size is None else 0
        share = len(block) / rows.num_coordinates
        robust_weights[usable] += share * q
        weights[usable] += share * final
    mean_update = rows.in_their_form(mean)
    memory = dict(defended.memory)
    return Aggregation(mean_update, robust_weights, weights, brought_back_by, far_apart, memory)


def _checked(q: FloatArray, weighting: Weighting, num_updates: int) -> FloatArray:
    """Return robust weights, which may come from somebody else's weighting, if they are such."""
    is_one = np.shape(q) == (num_updates,) and np.all(q >= 0) and abs(np.sum(q) - 1) <= TOLERANCE
    allowed = f"{num_updates} non-negative numbers with the sum one"
    shown = np.array2string(np.asarray(q), threshold=6)
    require(bool(is_one), f"the robust weights of {weighting!r}", allowed, shown)
    return q


def norm_matched(gramian: Gramian, q: FloatArray, tilted: FloatArray) -> FloatArray:
    """Scale tilted weights so that their sum of updates is as long as that of q: equation (9).

    Where the tilted sum vanishes there is no direction to keep, and q is returned.
    """
    length = gramian.norm_of_sum(tilted)
    if length == 0:
        return q
    return tilted * (gramian.norm_of_sum(q) / length)


@overload
def robust_mean(
    updates: NDArray[Any], method: str = RECOMMENDED, epsilon: Epsilon = 0.2, **options: Any
) -> Aggregation[NDArray[Any]]: ...
@overload
def robust_mean(
    updates: Sequence[Sequence[NDArray[Any]]],
    method: str = RECOMMENDED,
    epsilon: Epsilon = 0.2,
    **options: Any,
) -> Aggregation[NDArrays]: ...
def robust_mean(
    updates: Updates, method: str = RECOMMENDED, epsilon: Epsilon = 0.2, **options: Any
) -> Aggregation[Any]:
    """Return the robust mean of client updates, without any tilt.

    Parameters
    ----------
    updates : ndarray of shape (m, d), or sequence of m sequences of arrays
        The clients' updates.
    method : str, default "coalition-filtering"
        One of the names in `strategies.WEIGHTINGS`.
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; "auto": as many as look malicious.
    **options
        Further options of that weighting.

    Raises
    ------
    ValueError
        For an unknown method or option, or an argument out of its range.
    """
    return aggregate(updates, weighting_named(method, epsilon=epsilon, **options))
