"""Client updates to compare estimators on: kinds of honest noise, and attacks that know it.

All honest updates share a mean of length 1. Their noise has length 1 on average as well, so one in 100
coordinates or one in a million makes no difference to how hard a case is; how the noise is spread does.
An attack sees all honest updates and returns its own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from attacks.vectors import a_little_is_enough, inner_product_manipulation, mimic, min_max, sign_flip
from strategies.arrays import FloatArray

Noise = Callable[[int, int, np.random.Generator], FloatArray]
Attack = Callable[[FloatArray, int, np.random.Generator], FloatArray]


def honest_updates(kind: str, m: int, d: int, random: np.random.Generator) -> FloatArray:
    """Draw (m, d) honest updates of one of the kinds of `NOISE`."""
    mean = unit(random.normal(size=d))
    rows: FloatArray = mean + NOISE[kind](m, d, random)
    return rows


def sampling_noise(honest: FloatArray) -> float:
    """Return what the plain mean of these honest updates is expected to miss."""
    return float(np.sqrt(honest.var(axis=0).sum() / len(honest)))


def unit(vector: ArrayLike) -> FloatArray:
    """Return a vector scaled to length 1."""
    scaled: FloatArray = np.asarray(vector) / np.linalg.norm(vector)
    return scaled


def _even(m: int, d: int, random: np.random.Generator) -> FloatArray:
    noise: FloatArray = random.normal(size=(m, d)) / np.sqrt(d)
    return noise


def _few_directions(m: int, d: int, random: np.random.Generator) -> FloatArray:
    scale = unit((1 + np.arange(d)) ** -0.75)
    noise: FloatArray = random.normal(size=(m, d)) * scale
    return noise


def _clusters(m: int, d: int, random: np.random.Generator) -> FloatArray:
    centres = random.normal(size=(10, d)) / np.sqrt(d)
    noise: FloatArray = 0.9 * centres[random.integers(10, size=m)] + 0.44 * _even(m, d, random)
    return noise


def _heavy_tails(m: int, d: int, random: np.random.Generator) -> FloatArray:
    lengths = np.sqrt(3 / random.chisquare(3, size=m) / 3)
    noise: FloatArray = _few_directions(m, d, random) * lengths[:, None]
    return noise


def _uneven_lengths(m: int, d: int, random: np.random.Generator) -> FloatArray:
    noise: FloatArray = _even(m, d, random) * random.lognormal(-0.125, 0.5, size=m)[:, None]
    return noise


NOISE: Mapping[str, Noise] = {
    "even": _even,
    "few directions": _few_directions,
    "clusters": _clusters,
    "heavy tails": _heavy_tails,
    "uneven lengths": _uneven_lengths,
}


def fresh_noise(honest: FloatArray, k: int, random: np.random.Generator) -> FloatArray:
    """Draw noise like the honest clients': random combinations of their deviations."""
    deviations = honest - honest.mean(axis=0)
    noise: FloatArray = random.normal(size=(k, len(honest))) @ deviations / np.sqrt(len(honest))
    return noise


def _shifted(distance: float, noise: float) -> Attack:
    """Attack along one random direction, with so much of the honest clients' noise."""

    def rows(honest: FloatArray, k: int, random: np.random.Generator) -> FloatArray:
        direction = unit(random.normal(size=honest.shape[1]))
        shift = honest.mean(axis=0) + distance * direction
        return np.asarray(shift + noise * fresh_noise(honest, k, random))

    return rows


def _copies(vector: Callable[[FloatArray], FloatArray]) -> Attack:
    """Send k times what colluding attackers agree on."""
    return lambda honest, k, random: np.tile(vector(honest), (k, 1))


def _around(vector: Callable[[FloatArray], FloatArray], noise: float) -> Attack:
    """Send what colluding attackers agree on, each with so much of the honest clients' noise."""

    def rows(honest: FloatArray, k: int, random: np.random.Generator) -> FloatArray:
        return np.asarray(vector(honest) + noise * fresh_noise(honest, k, random))

    return rows


def _sign_flip(honest: FloatArray, k: int, random: np.random.Generator) -> FloatArray:
    return sign_flip(honest[random.integers(len(honest), size=k)])


def _far(honest: FloatArray, k: int, random: np.random.Generator) -> FloatArray:
    return random.normal(size=(k, honest.shape[1])) * 100


def _two_groups(honest: FloatArray, k: int, random: np.random.Generator) -> FloatArray:
    first, second = _shifted(1.5, 0.5), _shifted(1.5, 0.5)
    return np.vstack([first(honest, k // 2, random), second(honest, k - k // 2, random)])


def _along_the_widest(honest: FloatArray, k: int, random: np.random.Generator) -> FloatArray:
    """Hide where honest clients vary most: two deviations along their first principal direction."""
    deviations = honest - honest.mean(axis=0)
    _, values, directions = np.linalg.svd(deviations, full_matrices=False)
    shift = 2 * values[0] / np.sqrt(len(honest)) * directions[0]
    return np.asarray(honest.mean(axis=0) + shift + 0.7 * fresh_noise(honest, k, random))


ATTACKS: Mapping[str, Attack] = {
    "far": _far,
    "sign flip": _sign_flip,
    "shift, copies": _shifted(1.5, 0.0),
    "shift, noisy": _shifted(1.0, 1.0),
    "inner product, copies": _around(partial(inner_product_manipulation, strength=0.5), 0.0),
    "inner product, noisy": _around(partial(inner_product_manipulation, strength=1.0), 1.0),
    "a little, copies": _around(partial(a_little_is_enough, z=1.0), 0.0),
    "a little, noisy": _around(partial(a_little_is_enough, z=1.0), 0.5),
    "min-max": _copies(min_max),
    "mimic": _copies(mimic),
    "two groups": _two_groups,
    "along the widest": _along_the_widest,
}
