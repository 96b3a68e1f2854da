"""The referee's two arenas: one aggregation, and whole training runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from pawbrofl_app.settings.aggregation_settings import BASELINES
from strategies import WEIGHTINGS

from .adaptive_search import REPEATED_ON, error_of
from .honest_draws import Case
from .judged_defences import defence_named, judged_names
from .referee_cells import CASES, FOLDER, AnyVerdict, Cell, Verdict, judge, judge_all
from .training_arena import TRAINING_CASES, TrainingArena, TrainingVerdict, judge_training, tried_again
from .update_attack import UpdateAttack

RUNS_FOLDER = "referee-training"


@dataclass(frozen=True)
class Arena:
    """Where defences are judged.

    Attributes
    ----------
    defences : callable
        Returns the names of all that are judged where none is named.
    cases : tuple of str
    budget : int
        Tries of a search unless the command says otherwise.
    check : callable
        Raises `InvalidStudy` for a defence, a case or an attack (None: is searched) that there is not.
    verdicts : callable
        Yields the verdicts of cells: given these, the folder of results, jobs and minutes.
    tries : callable
        Returns the table of an attack on defences in cases: given these three, the folder and jobs.
    """

    defences: Callable[[], list[str]]
    cases: tuple[str, ...]
    budget: int
    check: Callable[[str, str, str | None], None]
    verdicts: Callable[[Sequence[Cell], Path, int | None, float], Iterator[AnyVerdict]]
    tries: Callable[[str, Sequence[str], Sequence[str], Path, int | None], pd.DataFrame]


def _check_updates(defence: str, case: str, attack: str | None) -> None:
    defence_named(defence)
    Case.parse(case)
    if attack is not None:
        UpdateAttack.parse(attack)


def _verdicts_on_updates(
    cells: Sequence[Cell], results: Path, jobs: int | None, minutes: float
) -> Iterator[AnyVerdict]:
    yield from judge_all(cells, results / FOLDER, judge, Verdict, jobs, minutes)


def _tries_on_updates(
    attack: str, defences: Sequence[str], cases: Sequence[str], results: Path, jobs: int | None
) -> pd.DataFrame:
    rows, tried = [], UpdateAttack.parse(attack)
    for defence in defences:
        for case in cases:
            errors = error_of(defence_named(defence), Case.parse(case), tried, REPEATED_ON)
            shown = {"mean": float(errors.mean()), "worst": float(errors.max())}
            rows.append({"aggregator": defence, "case": case, **shown})
    return pd.DataFrame(rows)


def _check_training(defence: str, case: str, attack: str | None) -> None:
    TrainingArena(defence, case, Path()).folder(attack or "none", 1)


def _verdicts_on_training(
    cells: Sequence[Cell], results: Path, jobs: int | None, minutes: float
) -> Iterator[AnyVerdict]:
    judged = partial(judge_training, results)
    yield from judge_all(cells, results / RUNS_FOLDER, judged, TrainingVerdict, jobs, minutes)


def _tries_on_training(
    attack: str, defences: Sequence[str], cases: Sequence[str], results: Path, jobs: int | None
) -> pd.DataFrame:
    asked = [(defence, case) for defence in defences for case in cases]
    arenas = [TrainingArena(defence, case, results) for defence, case in asked]
    outcomes = tried_again(arenas, attack, jobs or os.cpu_count() or 1)
    rows = [
        {
            "aggregator": defence,
            "case": case,
            "accuracy": sum(one.accuracy for one in runs) / len(runs),
            "attack success": sum(one.success for one in runs) / len(runs),
        }
        for (defence, case), runs in zip(asked, outcomes, strict=True)
    ]
    return pd.DataFrame(rows)


ARENAS = {
    "updates": Arena(judged_names, CASES, 400, _check_updates, _verdicts_on_updates, _tries_on_updates),
    "training": Arena(
        lambda: [*WEIGHTINGS, *BASELINES],
        TRAINING_CASES,
        20,
        _check_training,
        _verdicts_on_training,
        _tries_on_training,
    ),
}
