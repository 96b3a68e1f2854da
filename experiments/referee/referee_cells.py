"""Cells of the referee's table: one defence in one case, judged once and kept as a file."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol, TypeVar

import pandas as pd
from threadpoolctl import threadpool_limits

from ..grid.runner import end_with_parent
from .adaptive_search import error_of, fresh_draws, seconds_of, worst_attack
from .honest_draws import Case
from .judged_defences import defence_named
from .minority_price import minority_error

Cell = tuple[str, str, int, int]
"""A defence, a case, how many tries the attacker has, and the seed of the search."""
FOLDER = "referee"
"""Of the verdicts, in that of the results."""
CASES = tuple(
    f"{kind}/20/{epsilon}"
    for kind in ("digits-iid", "digits-dirichlet", "even", "few-directions", "heavy-tails")
    for epsilon in (0.2, 0.4)
)
"""The cases that all defences are judged in."""


@dataclass(frozen=True)
class Verdict:
    """What the search found for one defence in one case; errors in units of sampling noise.

    Attributes
    ----------
    defence, case, attack : str
        As they are asked for again.
    budget, seed : int
        Of the search. Each seed has honest draws of its own.
    searched : float
        The mean error on the draws that the attacker knew.
    error, spread : float
        Mean and standard deviation over fresh draws.
    unattacked : float
        The mean error without attack.
    minority : float
        How far an honest minority, a fifth apart from the others, is left out of the mean: 0 where it
        counts in full, 1 where it does not count.
    seconds : float
        The median processor time of one aggregation.
    """

    defence: str
    case: str
    attack: str
    budget: int
    seed: int
    searched: float
    error: float
    spread: float
    unattacked: float
    minority: float
    seconds: float

    @property
    def cell(self) -> Cell:
        """What was asked."""
        return self.defence, self.case, self.budget, self.seed

    def __str__(self) -> str:
        """Return the verdict in a line."""
        return (
            f"{self.error:7.2f}  {self.defence} in {self.case}: {self.attack} "
            f"({self.searched:.2f} on the draws that it was searched on)"
        )


def cells_of(defences: Sequence[str], cases: Sequence[str], budget: int, seeds: int) -> list[Cell]:
    """Return all cells, case by case, so that a table cut short has whole cases."""
    return [
        (defence, case, budget, seed)
        for case in cases
        for seed in range(1, seeds + 1)
        for defence in defences
    ]


def judge(defence: str, case_name: str, budget: int, seed: int) -> Verdict:
    """Search the worst attack on a defence, and confirm it on fresh draws."""
    defend, case = defence_named(defence), Case.parse(case_name)
    fresh = fresh_draws(seed)
    with threadpool_limits(1, "blas"):
        found = worst_attack(defend, case, budget, seed)
        errors = error_of(defend, case, found.attack, fresh)
        seconds = seconds_of(defend, case, found.attack, fresh)
        unattacked = error_of(defend, case, None, fresh)
        minority = minority_error(defend, case, fresh)
    return Verdict(
        defence,
        case_name,
        str(found.attack),
        budget,
        seed,
        found.error,
        float(errors.mean()),
        float(errors.std(ddof=1)),
        float(unattacked.mean()),
        minority,
        seconds,
    )


class AnyVerdict(Protocol):
    """A verdict of any arena: a dataclass of what JSON has."""

    @property
    def cell(self) -> Cell:
        """What was asked."""
        ...


V = TypeVar("V", bound=AnyVerdict)


def judge_all(
    cells: Sequence[Cell],
    folder: Path,
    judge: Callable[[str, str, int, int], V],
    kind: Callable[..., V],
    jobs: int | None = None,
    minutes: float = math.inf,
) -> Iterator[V]:
    """Yield the verdicts of cells, several at a time; those whose files are there are not judged again.

    Parameters
    ----------
    cells : sequence of (defence, case, budget, seed)
    folder : Path
        Holds a file for each cell.
    judge : callable
        Returns the verdict of a cell, in a process of its own.
    kind : callable
        Makes a verdict of its fields.
    jobs : int, optional
        How many at once; by default one a core.
    minutes : float
        After so many no cell is begun.
    """
    jobs = jobs or os.cpu_count() or 1
    folder.mkdir(parents=True, exist_ok=True)
    waiting = []
    for cell in cells:
        path = _file(folder, cell)
        if path.is_file():
            yield kind(**json.loads(path.read_text()))
        else:
            waiting.append(cell)
    started = time.monotonic()
    with ProcessPoolExecutor(jobs, get_context("spawn"), end_with_parent) as pool:
        running = {pool.submit(judge, *cell): cell for cell in waiting[:jobs]}
        left = iter(waiting[jobs:])
        while running:
            done = next(as_completed(running))
            cell, verdict = running.pop(done), done.result()
            temporary = _file(folder, cell).with_suffix(".part")
            temporary.write_text(json.dumps(vars(verdict)))
            temporary.replace(_file(folder, cell))
            yield verdict
            following = next(left, None) if time.monotonic() - started < 60 * minutes else None
            if following is not None:
                running[pool.submit(judge, *following)] = following


def gathered(verdicts: Iterable[V], cells: Sequence[Cell], *, counted: bool = False) -> list[V]:
    """Print verdicts as they come, with a count if wanted, and return them in the cells' order."""
    found: list[V] = []
    for verdict in verdicts:
        found.append(verdict)
        count = f"{len(found)} of {len(cells)}: " if counted else ""
        print(f"{count}{verdict}", flush=True)
    return sorted(found, key=lambda verdict: cells.index(verdict.cell))


def as_table(verdicts: Sequence[AnyVerdict]) -> pd.DataFrame:
    """Return verdicts as rows."""
    return pd.DataFrame([vars(verdict) for verdict in verdicts])


def _file(folder: Path, cell: Cell) -> Path:
    digest = hashlib.sha256(repr(cell).encode()).hexdigest()[:16]
    return folder / f"{digest}.json"
