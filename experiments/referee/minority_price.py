"""What a defence costs an honest minority: how much of it is missing from the mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .attack_families import direction_of, spread
from .honest_draws import Case
from .judged_defences import Defend

SHARE = 0.2
DISTANCE = 1.5
"""From the others' mean, in units of their spread."""


def minority_error(defend: Defend, case: Case, draws: Sequence[int]) -> float:
    """Return how much less an honest minority counts than its share, 0 to 1, where nobody attacks.

    A fifth of the clients have updates around another mean, with noise like the others'. What is missing
    is measured along the way between the two groups.
    """
    missing = []
    for number in draws:
        draw, random = case.draw(number), np.random.default_rng([number, 2])
        rows = draw.honest.copy()
        members = round(SHARE * len(rows))
        way = direction_of("random", rows, random)
        rows[:members] += DISTANCE * spread(rows) * way
        mean = defend(rows.astype(np.float32), case.epsilon, draw.root)
        with np.errstate(invalid="ignore"):
            far = float((rows[:members].mean(axis=0) - rows[members:].mean(axis=0)) @ way)
            counted = float((mean - rows[members:].mean(axis=0)) @ way) / far
        missing.append(1 - counted * len(rows) / members)
    return float(np.clip(np.mean(missing), 0.0, 1.0))
