"""The robust means that are compared: ours, Flower's and, where it is installed, ByzFL's.

All take an (m, d) float32 matrix and the fraction of malicious rows, and return their mean.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from flwr.server.strategy.aggregate import aggregate_krum, aggregate_median, aggregate_trimmed_avg
from numpy.typing import NDArray

from strategies import WEIGHTINGS, robust_mean
from strategies.epsilon import max_malicious

Updates = NDArray[np.float32]
Estimator = Callable[[Updates, float], NDArray[Any]]


def ours() -> dict[str, Estimator]:
    """Return this project's weightings, and the recommended one where epsilon is not known."""

    def named(method: str) -> Estimator:
        return lambda x, epsilon: np.asarray(robust_mean(x, method, epsilon).mean)

    return {
        **{method: named(method) for method in WEIGHTINGS if method != "mean"},
        'recommended, epsilon="auto"': lambda x, _: np.asarray(robust_mean(x, epsilon="auto").mean),
    }


def others(*, slow: bool = False) -> dict[str, Estimator]:
    """Return the plain mean, Flower's estimators and ByzFL's, without its slow filter CAF by default."""
    return {"mean": lambda x, _: x.mean(axis=0), **_of_flower(), **_of_byzfl(slow)}


def _of_flower() -> dict[str, Estimator]:
    def results(x: Updates) -> list[tuple[list[NDArray[Any]], int]]:
        return [([row], 1) for row in x]

    def multi_krum(x: Updates, epsilon: float) -> NDArray[Any]:
        f = max_malicious(epsilon, len(x))
        return np.asarray(aggregate_krum(results(x), f, len(x) - f)[0])

    return {
        "flwr median": lambda x, _: np.asarray(aggregate_median(results(x))[0]),
        "flwr trimmed mean": lambda x, epsilon: np.asarray(
            aggregate_trimmed_avg(results(x), epsilon)[0]
        ),
        "flwr multi-krum": multi_krum,
    }


def _of_byzfl(slow: bool) -> dict[str, Estimator]:
    try:
        byzfl: Any = importlib.import_module("byzfl")
    except ImportError:
        return {}

    def told(rule: Callable[[int], Any]) -> Estimator:
        return lambda x, epsilon: np.asarray(rule(max_malicious(epsilon, len(x)))(x))

    def after_mixing(rule: Callable[[int], Any]) -> Estimator:
        return told(lambda f: lambda x: rule(f)(byzfl.NNM(f)(x)))

    found: dict[str, Estimator] = {
        "byzfl geometric median": lambda x, _: np.asarray(byzfl.GeometricMedian(T=20)(x)),
        "byzfl meamed": told(byzfl.Meamed),
        "byzfl multi-krum": told(byzfl.MultiKrum),
        "byzfl NNM + trimmed mean": after_mixing(byzfl.TrMean),
        "byzfl NNM + geometric median": after_mixing(lambda f: byzfl.GeometricMedian(T=20)),
    }
    if slow:
        found["byzfl CAF"] = told(byzfl.CAF)
    return found
