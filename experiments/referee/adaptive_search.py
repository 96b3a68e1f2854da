"""The adaptive attacker: looks for the attack of largest error, with a fixed number of tries.

Half of the tries are spread over all families; the rest move around the best of the three most harmful
families, in steps that shrink. What was found is confirmed on fresh honest draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from strategies.arrays import FloatArray

from .attack_families import FAMILIES
from .honest_draws import Case
from .judged_defences import Defend
from .update_attack import UpdateAttack

SEARCHED_ON = 2
FIRST_FRESH = 1000
FOLLOWED = 3
"""How many families are searched further."""


@dataclass(frozen=True)
class Found:
    """The most harmful attack that was found.

    Attributes
    ----------
    attack : UpdateAttack
    error : float
        On the draws that it was searched on.
    """

    attack: UpdateAttack
    error: float


def error_of(
    defend: Defend, case: Case, attack: UpdateAttack | None, draws: Sequence[int]
) -> FloatArray:
    """Return the distances from the honest mean, in units of sampling noise, one for each draw.

    Infinity where the defence fails or its mean is not finite.

    Parameters
    ----------
    defend : callable
    case : Case
    attack : UpdateAttack, optional
        None: all clients are honest.
    draws : sequence of int
    """
    errors = []
    for number in draws:
        draw, random = case.draw(number), np.random.default_rng([number, 1])
        rows = draw.honest
        if attack is not None:
            rows = np.vstack([attack.rows(rows, case.num_attackers, random), rows])
        updates = rows[random.permutation(len(rows))].astype(np.float32)
        try:
            mean = defend(updates, case.epsilon, draw.root)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            mean = np.full(rows.shape[1], math.inf)
        with np.errstate(invalid="ignore"):
            error = float(np.linalg.norm(mean - draw.honest.mean(axis=0))) / draw.noise
        errors.append(error if math.isfinite(error) else math.inf)
    return np.array(errors)


def search(harm: Callable[[UpdateAttack], float], budget: int, seed: int) -> Found:
    """Return the most harmful attack that so many tries find.

    Parameters
    ----------
    harm : callable
        What is to be large.
    budget : int
        How often it is called, at least once for each family.
    seed : int
    """
    best: dict[str, tuple[float, FloatArray]] = {}
    random = np.random.default_rng(seed)

    def attempt(family: str, place: FloatArray) -> None:
        found = harm(UpdateAttack.at(family, place))
        if family not in best or found > best[family][0]:
            best[family] = found, place

    first = max(budget // 2 // len(FAMILIES), 1)
    for family, kind in FAMILIES.items():
        for place in random.random((first, len(kind.parameters))):
            attempt(family, place)
    left = budget - first * len(FAMILIES)
    followed = sorted(best, key=lambda family: -best[family][0])[:FOLLOWED]
    for step in range(left):
        family = followed[step % len(followed)]
        width = 0.3 * 0.1 ** (step / max(left, 1))
        around = best[family][1] + width * random.normal(size=len(best[family][1]))
        moved = np.where(random.random(len(around)) < 0.7, around, best[family][1])
        attempt(family, np.clip(moved, 0.0, 1.0))
    worst = max(best, key=lambda family: best[family][0])
    return Found(UpdateAttack.at(worst, best[worst][1]), best[worst][0])


def worst_attack(defend: Defend, case: Case, budget: int, seed: int) -> Found:
    """Return the attack of largest mean error on a few draws that the attacker knows."""
    known = [seed * SEARCHED_ON + i + 1 for i in range(SEARCHED_ON)]
    return search(lambda attack: float(error_of(defend, case, attack, known).mean()), budget, seed)
