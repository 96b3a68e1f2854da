"""The adaptive attacker: looks for the attack of largest error, with a fixed number of tries.

Half of the tries are spread over all families; the rest move around the best of the three most harmful
families, in steps that shrink. Tries are on few honest draws; the best of them are compared on more,
since an attack just below a threshold may be above it elsewhere. Fresh draws confirm what was found.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from strategies.arrays import FloatArray

from ..estimators.competitors import Updates
from .attack_families import FAMILIES
from .honest_draws import Case, Draw
from .judged_defences import Defend
from .update_attack import UpdateAttack

SEARCHED_ON = 2
COMPARED_ON = 6
"""How many draws the attacker knows: each try is on the first two, finalists are on all of them."""
FINALISTS, OF_A_FAMILY = 6, 2
"""How many attacks are compared on all known draws, and how many of one family at most."""
FIRST_FRESH = 10_000
FRESH = 5
"""How many fresh draws confirm what a search found."""
REPEATED_ON = range(1_000_000, 1_000_010)
"""Draws that no search saw and by which none was chosen: an attack that is named is tried on them."""
FOLLOWED = 3
"""How many families are searched further."""


Attack = TypeVar("Attack")


@dataclass(frozen=True)
class Found(Generic[Attack]):
    """The most harmful attack that was found.

    Attributes
    ----------
    attack : Attack
    error : float
        What it does where it was searched: in the arena of updates, the error.
    """

    attack: Attack
    error: float


@dataclass(frozen=True)
class Space(Generic[Attack]):
    """What is searched.

    Attributes
    ----------
    sizes : mapping of str to int
        How many parameters each family of attacks has.
    at : callable
        Returns the attack at a place of a family's unit cube.
    """

    sizes: Mapping[str, int]
    at: Callable[[str, FloatArray], Attack]


UPDATES = Space({name: len(family.parameters) for name, family in FAMILIES.items()}, UpdateAttack.at)


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
        draw, updates = updates_of(case, attack, number)
        try:
            mean = defend(updates, case.epsilon, draw.root)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            mean = np.full(updates.shape[1], math.inf)
        with np.errstate(invalid="ignore"):
            error = float(np.linalg.norm(mean - draw.honest.mean(axis=0))) / draw.noise
        errors.append(error if math.isfinite(error) else math.inf)
    return np.array(errors)


def updates_of(case: Case, attack: UpdateAttack | None, number: int) -> tuple[Draw, Updates]:
    """Return a draw, and all its clients' updates in random order, (m, d), with those of attackers."""
    draw, random = case.draw(number), np.random.default_rng([number, 1])
    rows = draw.honest
    if attack is not None:
        rows = np.vstack([attack.rows(rows, case.num_attackers, random), rows])
    return draw, rows[random.permutation(len(rows))].astype(np.float32)


def seconds_of(defend: Defend, case: Case, attack: UpdateAttack, draws: Sequence[int]) -> float:
    """Return the median processor time of one aggregation under attack."""
    times = []
    for number in draws:
        draw, updates = updates_of(case, attack, number)
        started = time.process_time()
        with contextlib.suppress(ValueError, ArithmeticError, np.linalg.LinAlgError):
            defend(updates, case.epsilon, draw.root)
        times.append(time.process_time() - started)
    return float(np.median(times))


def fresh_draws(seed: int) -> range:
    """Return the draws that confirm what the search of a seed found."""
    return range(FIRST_FRESH + FRESH * seed, FIRST_FRESH + FRESH * (seed + 1))


def search(
    space: Space[Attack], harm: Callable[[Attack], float], budget: int, seed: int
) -> Found[Attack]:
    """Return the most harmful attack that so many tries find.

    Parameters
    ----------
    space : Space
    harm : callable
        What is to be large.
    budget : int
        How often it is called, at least once for each family.
    seed : int
    """
    best: dict[str, tuple[float, FloatArray]] = {}
    random = np.random.default_rng(seed)

    def attempt(family: str, place: FloatArray) -> None:
        found = harm(space.at(family, place))
        if family not in best or found > best[family][0]:
            best[family] = found, place

    first = max(budget // 2 // len(space.sizes), 1)
    for family, size in space.sizes.items():
        for place in random.random((first, size)):
            attempt(family, place)
    left = budget - first * len(space.sizes)
    followed = sorted(best, key=lambda family: -best[family][0])[:FOLLOWED]
    for step in range(left):
        family = followed[step % len(followed)]
        width = 0.3 * 0.1 ** (step / max(left, 1))
        around = best[family][1] + width * random.normal(size=len(best[family][1]))
        moved = np.where(random.random(len(around)) < 0.7, around, best[family][1])
        attempt(family, np.clip(moved, 0.0, 1.0))
    worst = max(best, key=lambda family: best[family][0])
    return Found(space.at(worst, best[worst][1]), best[worst][0])


def worst_attack(defend: Defend, case: Case, budget: int, seed: int) -> Found[UpdateAttack]:
    """Return the attack of largest mean error on the draws that the attacker knows."""
    known = range(seed * COMPARED_ON + 1, (seed + 1) * COMPARED_ON + 1)
    tried: list[Found[UpdateAttack]] = []

    def harm(attack: UpdateAttack) -> float:
        tried.append(Found(attack, float(error_of(defend, case, attack, known[:SEARCHED_ON]).mean())))
        return tried[-1].error

    search(UPDATES, harm, budget, seed)
    compared = [
        Found(one.attack, float(error_of(defend, case, one.attack, known).mean()))
        for one in finalists(tried)
    ]
    return max(compared, key=lambda found: found.error)


def finalists(tried: Sequence[Found[UpdateAttack]]) -> list[Found[UpdateAttack]]:
    """Return the most harmful attacks, so many and not all of one family."""
    chosen: list[Found[UpdateAttack]] = []
    for one in sorted(tried, key=lambda found: -found.error):
        family = [other for other in chosen if other.attack.family == one.attack.family]
        if len(family) < OF_A_FAMILY and len(chosen) < FINALISTS:
            chosen.append(one)
    return chosen
