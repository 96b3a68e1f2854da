"""Attacks on updates as functions of arrays: usable with any aggregation, in any project.

Updates are float64 vectors of shape (d,). What colluding attackers know is an (n, d) array of updates,
one a row; each function returns the one vector that all of them send. In formulas, mu and sigma are the
mean and the standard deviation (that of n, not n - 1) of each coordinate over the known updates.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

DIRECTIONS = ("deviation", "mean", "sign")


def sign_flip(update: Vector, scale: float = 1.0) -> Vector:
    """Return the opposite of an update, scaled: ``-scale g``.

    Li, Xu, Chen, Giannakis, Ling, "RSA: Byzantine-robust stochastic aggregation methods" (AAAI 2019).
    """
    return -scale * update


def additive_noise(update: Vector, strength: float, random: np.random.Generator) -> Vector:
    """Return an update with Gaussian noise, ``strength`` times as long as the update is.

    The Gaussian attack of Blanchard, El Mhamdi, Guerraoui, Stainer, "Machine learning with adversaries"
    (NeurIPS 2017), with the noise measured by the update's own length.
    """
    deviation = strength * float(np.linalg.norm(update)) / math.sqrt(max(len(update), 1))
    return update + deviation * random.standard_normal(len(update))


def project_onto_ball(update: Vector, radius: float) -> Vector:
    """Return the update if it is at most so long, else the multiple of it that is.

    ``min(1, radius / |g|) g``; Sun, Kairouz, Suresh, McMahan, "Can you really backdoor federated
    learning?" (2019).
    """
    length = float(np.linalg.norm(update))
    return update if length <= radius else update * (radius / length)


def inner_product_manipulation(known: Vector, strength: float = 0.5) -> Vector:
    """Return a negative multiple of the known mean: ``-strength mu``.

    Xie, Koyejo, Gupta, "Fall of empires: breaking Byzantine-tolerant SGD by inner product manipulation"
    (UAI 2019), whose epsilon the strength is.
    """
    return np.asarray(-strength * known.mean(axis=0))


def a_little_is_enough(known: Vector, z: float) -> Vector:
    """Return the known mean, moved in every coordinate by z deviations: ``mu - z sigma``.

    Baruch, Baruch, Goldberg, "A little is enough: circumventing defenses for distributed learning"
    (NeurIPS 2019), Algorithm 3; `hidden_deviations` is its z.
    """
    return np.asarray(known.mean(axis=0) - z * known.std(axis=0))


def hidden_deviations(num_clients: int, num_attackers: int) -> float:
    """Return the z of Baruch et al. (their Algorithm 3): of m clients k attack.

    ``floor(m / 2 + 1) - k`` honest clients must lie beyond the attackers for them to be a majority; z is
    the normal quantile at which so many are expected. At least a tenth, as with few attackers it is
    close to 0 or below.
    """
    from scipy.special import ndtri  # half of the attacks' import time, not needed before a round

    honest = max(num_clients - num_attackers, 1)
    supporters = math.floor(num_clients / 2 + 1) - num_attackers
    share = min(max((honest - supporters) / honest, 0.0), 1 - 1e-6)
    return max(float(ndtri(share)), 0.1)


def mimic(known: Vector, victim: int = 0) -> Vector:
    """Return the update of one known client, by its row modulo n.

    Karimireddy, He, Jaggi, "Byzantine-robust learning on heterogeneous datasets via bucketing" (ICLR
    2022), with a given victim in place of their search for one.
    """
    return np.asarray(known[victim % len(known)])


def min_max(known: Vector, direction: str = "deviation") -> Vector:
    """Return the known mean, moved as far as two known updates are apart.

    Shejwalkar, Houmansadr, "Manipulating the Byzantine: optimizing model poisoning attacks and defenses
    for federated learning" (NDSS 2021): ``mu + gamma p`` with the largest gamma for which

        max_i |mu + gamma p - g_i| <= max_ij |g_i - g_j|.

    They search for gamma; as the constraint is quadratic in it, it is computed here.

    Parameters
    ----------
    known : ndarray of shape (n, d)
    direction : str, default "deviation"
        p, as in their section IV: ``-sigma`` ("deviation"), ``-mu / |mu|`` ("mean") or ``-sign(mu)``
        ("sign").
    """
    return _moved(known, direction, _min_max_gamma)


def min_sum(known: Vector, direction: str = "deviation") -> Vector:
    """Return the known mean, moved so far that its squared distances sum up to what a known one's do.

    As `min_max` and from the same paper, with the constraint

        sum_i |mu + gamma p - g_i|^2 <= max_j sum_i |g_i - g_j|^2.
    """
    return _moved(known, direction, _min_sum_gamma)


def quiet_coordinates(update: Vector, known: Vector, top: float = 0.05) -> Vector:
    """Return an update that is zero where the known mean is largest, in a share ``top`` of coordinates.

    The projection of Zhang et al., "Neurotoxin" (ICML 2022).
    """
    loud = round(top * len(update))
    order = np.argsort(-np.abs(known.mean(axis=0)), kind="stable")
    projected = update.copy()
    projected[order[:loud]] = 0.0
    return projected


def anti_minority(known: Vector) -> Vector:
    """Return the known majority's mean, moved away from the minority as far as that is from it.

    ``2 a - b``, with a and b the means of the larger and the smaller of the two groups into which the
    known updates fall along their widest direction, split where the squared distances to the groups'
    means sum up to least. As many attackers as the minority has clients take all of it out of the mean.
    An attack of this project.
    """
    if len(known) < 2:
        return np.asarray(known[0])
    centred = known - known.mean(axis=0)
    widest = np.linalg.eigh(centred @ centred.T)[1][:, -1]
    order = np.argsort(widest, kind="stable")
    along, n = widest[order], len(known)
    spreads = [along[:k].var() * k + along[k:].var() * (n - k) for k in range(1, n)]
    groups = np.split(order, [1 + int(np.argmin(spreads))])
    minority, majority = (known[group].mean(axis=0) for group in sorted(groups, key=len))
    return np.asarray(2 * majority - minority)


def _moved(
    known: Vector, direction: str, largest_gamma: Callable[[Vector, Vector, float], float]
) -> Vector:
    """Return ``mu + gamma p``; with a single known update there is nothing to hide in, and mu is it."""
    mean = known.mean(axis=0)
    p = _perturbation(known, mean, direction)
    squared = float(p @ p)
    if squared == 0:
        return np.asarray(mean)
    return np.asarray(mean + largest_gamma(known - mean, p, squared) * p)


def _perturbation(known: Vector, mean: Vector, direction: str) -> Vector:
    if direction == "deviation":
        return np.asarray(-known.std(axis=0))
    if direction == "sign":
        return np.asarray(-np.sign(mean))
    return np.asarray(-mean / max(float(np.linalg.norm(mean)), float(np.finfo(np.float64).tiny)))


def _min_max_gamma(centred: Vector, p: Vector, squared: float) -> float:
    """Return the least positive root of ``|gamma p - c_i|^2 = largest distance^2`` over all i."""
    gramian = centred @ centred.T
    lengths = np.diag(gramian)
    farthest = float((lengths[:, None] + lengths[None, :] - 2 * gramian).max())
    along = centred @ p
    discriminant = along**2 + squared * np.maximum(farthest - lengths, 0.0)
    return max(float(((along + np.sqrt(discriminant)) / squared).min()), 0.0)


def _min_sum_gamma(centred: Vector, p: Vector, squared: float) -> float:
    """Return the positive root of ``sum_i |gamma p - c_i|^2 = largest such sum``."""
    # Around their mean, update j's sum of squared distances to all n is sum_i |c_i|^2 + n |c_j|^2.
    longest = float(np.einsum("ij,ij->i", centred, centred).max())
    return float(np.sqrt(longest / squared))
