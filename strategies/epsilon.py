"""Epsilon, the fraction of malicious clients to withstand, and how many of m clients that is."""

from __future__ import annotations

import math
from typing import Literal

from .checks import is_number, require

Epsilon = float | Literal["auto"]
"""The fraction of malicious clients to withstand, or "auto": judged from each round's updates."""


def check_epsilon(epsilon: float) -> None:
    """Raise ``ValueError`` unless ``0 <= epsilon < 0.5``, the fractions that can be told apart."""
    in_range = is_number(epsilon) and 0 <= epsilon < 0.5
    require(in_range, "epsilon", "at least 0 and below 0.5", repr(epsilon))


def check_epsilon_or_auto(epsilon: Epsilon) -> None:
    """Raise ``ValueError`` unless epsilon is "auto" or ``0 <= epsilon < 0.5``."""
    if epsilon != "auto":
        check_epsilon(epsilon)


def max_malicious(epsilon: float, num_clients: int) -> int:
    """Return f: how many of m clients may be malicious if a fraction epsilon of them is.

    ``epsilon m`` rounded up, but always a minority. Up, as whoever is missing from a round may be
    honest: where 4 of 20 are malicious, 4 of 19 may be. A product within 1e-9 of a whole number counts
    as that number, so that ``max_malicious(f / m, m)`` is f.

    Parameters
    ----------
    epsilon : float
        At least 0 and below 0.5.
    num_clients : int
        m, at least 1.
    """
    return min(math.ceil(epsilon * num_clients - 1e-9), (num_clients - 1) // 2)


def withstood(epsilon: Epsilon) -> str:
    """Say how many malicious clients an epsilon withstands."""
    if epsilon == "auto":
        return "as many as look malicious"
    return ", ".join(f"{max_malicious(epsilon, m)} of {m}" for m in (10, 100)) + " clients"


def epsilon_among(epsilon: float, num_clients: int, some: int) -> float:
    """Return the epsilon at which as many of some clients may be malicious as of all of them.

    Parameters
    ----------
    epsilon : float
        For all.
    num_clients, some : int
        How many all and those are; at least 1.
    """
    if some == num_clients:
        return epsilon
    return min(max_malicious(epsilon, num_clients), (some - 1) // 2) / some
