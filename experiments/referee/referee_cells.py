"""Cells of the referee's table: one defence in one case, judged once and kept as a file."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from .adaptive_search import FIRST_FRESH, error_of, worst_attack
from .honest_draws import Case
from .judged_defences import defence_named
from .minority_price import minority_error

FRESH = 10
"""How many fresh draws confirm an attack, and measure what a defence costs without one."""

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
        Of the search.
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
        The median time of one aggregation.
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


def judge(defence: str, case_name: str, budget: int, seed: int) -> Verdict:
    """Search the worst attack on a defence, and confirm it on fresh draws."""
    defend, case = defence_named(defence), Case.parse(case_name)
    fresh = range(FIRST_FRESH, FIRST_FRESH + FRESH)
    with threadpool_limits(1, "blas"):
        found = worst_attack(defend, case, budget, seed)
        started = time.perf_counter()
        errors = error_of(defend, case, found.attack, fresh)
        seconds = (time.perf_counter() - started) / FRESH
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


def judge_all(
    cells: Sequence[tuple[str, str, int, int]], folder: Path, jobs: int, seconds: float
) -> Iterator[Verdict]:
    """Yield the verdicts of cells, several at a time; those whose files are there are not judged again.

    Parameters
    ----------
    cells : sequence of (defence, case, budget, seed)
    folder : Path
        Holds a file for each cell.
    jobs : int
    seconds : float
        After so many no cell is begun.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waiting = []
    for cell in cells:
        path = _file(folder, cell)
        if path.is_file():
            yield Verdict(**json.loads(path.read_text()))
        else:
            waiting.append(cell)
    started = time.monotonic()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(judge, *cell): cell for cell in waiting[:jobs]}
        left = iter(waiting[jobs:])
        while running:
            done = next(as_completed(running))
            cell, verdict = running.pop(done), done.result()
            temporary = _file(folder, cell).with_suffix(".part")
            temporary.write_text(json.dumps(asdict(verdict)))
            temporary.replace(_file(folder, cell))
            yield verdict
            following = next(left, None) if time.monotonic() - started < seconds else None
            if following is not None:
                running[pool.submit(judge, *following)] = following


def as_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return verdicts as rows, in the order of defences and cases."""
    return pd.DataFrame([asdict(verdict) for verdict in verdicts])


def _file(folder: Path, cell: tuple[str, str, int, int]) -> Path:
    digest = hashlib.sha256(repr(cell).encode()).hexdigest()[:16]
    return folder / f"{digest}.json"
