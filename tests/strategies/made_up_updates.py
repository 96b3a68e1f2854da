"""Updates of honest clients around one mean, and of a malicious group among them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from strategies.arrays import FloatArray


def honest(m: int, d: int = 400, seed: int = 0, power: float = 0.0) -> FloatArray:
    """Return m updates around one mean of length 1, with noise of that length."""
    random = np.random.default_rng(seed)
    mean = random.normal(size=d)
    scale = (1 + np.arange(d)) ** -power
    noise = random.normal(size=(m, d)) * scale / np.linalg.norm(scale)
    rows: FloatArray = mean / np.linalg.norm(mean) + noise
    return rows


def attacked(m: int = 30, malicious: int = 8, offset: float = 2.0, jitter: float = 1.0) -> FloatArray:
    """Return m updates of which the first ones share an offset."""
    rows = honest(m)
    direction = np.random.default_rng(1).normal(size=rows.shape[1])
    noise = rows[:malicious] - rows[malicious:].mean(axis=0)
    rows[:malicious] = rows[malicious:].mean(axis=0) + offset * direction / np.linalg.norm(direction)
    rows[:malicious] += jitter * noise
    return rows


def placements(draw: Any, rows: FloatArray, number: int) -> FloatArray:
    """Draw where malicious clients stand: combinations of honest updates, at any distance."""
    mix = draw(arrays(np.float64, (number, len(rows)), elements=st.floats(-1, 1)))
    scale = draw(st.sampled_from([0.0, 0.01, 0.3, 1.0, 3.0, 1e3]))
    placed: FloatArray = rows.mean(axis=0) + scale * mix @ (rows - rows.mean(axis=0))
    return placed
