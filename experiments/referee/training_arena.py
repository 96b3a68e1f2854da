"""The second arena: whole training runs, judged by the final model's accuracy and by attack success.

One search looks for the least accuracy, another for the most attack success. A try is one run of the app
with attackers who know all honest updates; every run's summary is kept, so a search that was stopped
goes on where it was. Runs with other seeds, clients' data and first model confirm what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pawbrofl_app.settings.command_line import default_settings
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig

from ..grid.cell import Cell as GridCell
from ..grid.cell_folder import CellFolder
from ..grid.cell_run import run_cell
from ..grid.runner import run_cells
from ..grid.study import InvalidStudy
from .adaptive_search import search
from .honest_draws import Case
from .training_families import AGAINST_ACCURACY, BACKDOORS, TrainingFamily, space_of

RUNS = "referee-runs"
"""The folder of the runs, in that of the results."""
CONFIRMED_ON = 3
FIRST_CONFIRMING = 1000
SETTINGS: dict[str, dict[str, Any]] = {
    "digits": {"network": "perceptron", "local-epochs": 1, "batch-size": 4},
    "adult": {
        "network": "small-perceptron",
        "training-samples": 6000,
        "local-epochs": 2,
        "learning-rate": 0.1,
    },
}
"""By data set: what makes a run short."""
KINDS = tuple(f"{dataset}-{partition}" for dataset in SETTINGS for partition in ("iid", "dirichlet"))
TRAINING_CASES = tuple(f"{kind}/20/{epsilon}" for kind in KINDS for epsilon in (0.2, 0.4))


@dataclass(frozen=True)
class TrainingVerdict:
    """What the searches found for one defence in one case.

    Attributes
    ----------
    defence, case : str
        As they are asked for again.
    budget, seed : int
        Tries of each of the two searches, and their seed.
    accuracy_attack, backdoor : str
        The attacks that were found, as the setting ``attack`` takes them.
    accuracy, success : float
        Accuracy under the one and attack success of the other, means over the confirming runs. Accuracy
        is balanced where classes are uneven.
    unattacked : float
        Accuracy of these runs without attack.
    """

    defence: str
    case: str
    budget: int
    seed: int
    accuracy_attack: str
    accuracy: float
    backdoor: str
    success: float
    unattacked: float

    @property
    def cell(self) -> tuple[str, str, int, int]:
        """What was asked."""
        return self.defence, self.case, self.budget, self.seed

    def __str__(self) -> str:
        """Return the verdict in a line."""
        return (
            f"{self.defence} in {self.case}: accuracy {self.accuracy:.3f} (unattacked "
            f"{self.unattacked:.3f}) under {self.accuracy_attack}; attack success {self.success:.3f} of "
            f"{self.backdoor}"
        )


@dataclass(frozen=True)
class Outcome:
    """What a run's final model achieves."""

    accuracy: float
    success: float


@dataclass(frozen=True)
class TrainingArena:
    """The runs of a defence in a case.

    Parameters
    ----------
    defence, case : str
    results : Path
        Holds the folder `RUNS`.

    Raises
    ------
    InvalidStudy
        For a case or defence that there is not.
    """

    defence: str
    case: str
    results: Path

    def __post_init__(self) -> None:
        self.folder("none", 1)

    def folder(self, attack: str, seed: int) -> CellFolder:
        """Return where the summary of a run is or will be.

        Raises
        ------
        InvalidStudy
            For an attack that there is not.
        """
        case = Case.parse(self.case, KINDS)
        dataset, partition = case.kind.split("-")
        settings = {
            "dataset": dataset,
            "partition": partition,
            "dirichlet-alpha": 0.5,
            "num-clients": case.clients,
            "malicious-fraction": case.epsilon,
            "epsilon": case.epsilon,
            "omniscient-attackers": True,
            "num-rounds": 10,
            "performance-aware": False,
            "checkpoint-every": 0,
            "figures": False,
            "results-dir": "",
        }
        asked = {"aggregator": self.defence, "attack": attack, "seed": seed}
        try:
            config = RunConfig.parse(default_settings() | settings | SETTINGS[dataset] | asked)
        except InvalidSetting as problem:
            raise InvalidStudy(str(problem)) from None
        cell = GridCell({"case": self.case, "aggregator": self.defence, "attack": attack}, config)
        return CellFolder(cell, self.results / RUNS / cell.name, summary_only=True)

    def run(self, attack: str, seed: int) -> Outcome:
        """Return what comes of a run, which this process makes unless it has been made before."""
        folder = self.folder(attack, seed)
        if not folder.finished:
            run_cell(folder, "in-process")
        return _outcome(self.folder(attack, seed))

    def worst(self, goal: Goal, budget: int, seed: int) -> str:
        """Return the attack that does most harm in the runs of a seed."""
        return search(
            space_of(goal.families), lambda attack: goal.harm(self.run(attack, seed)), budget, seed
        ).attack

    def confirmed(self, attack: str, seed: int) -> Outcome:
        """Return the mean outcome of an attack in runs that no search saw."""
        outcomes = [self.run(attack, one) for one in confirming_seeds(seed)]
        return Outcome(
            float(np.mean([outcome.accuracy for outcome in outcomes])),
            float(np.mean([outcome.success for outcome in outcomes])),
        )


@dataclass(frozen=True)
class Goal:
    """What attackers are after: the families of attacks, and how harmful an outcome is."""

    families: Mapping[str, TrainingFamily]
    harm: Callable[[Outcome], float]


LEAST_ACCURACY = Goal(AGAINST_ACCURACY, lambda outcome: -outcome.accuracy)
BACKDOOR = Goal(BACKDOORS, lambda outcome: outcome.success)


def confirming_seeds(seed: int) -> range:
    """Return the seeds of the runs that confirm what the searches of a seed found."""
    first = FIRST_CONFIRMING + seed * CONFIRMED_ON
    return range(first, first + CONFIRMED_ON)


def judge_training(results: Path, defence: str, case: str, budget: int, seed: int) -> TrainingVerdict:
    """Search the worst attacks on a defence's training, and confirm them in runs of other seeds."""
    arena = TrainingArena(defence, case, results)
    (results / RUNS).mkdir(parents=True, exist_ok=True)
    attacks = [arena.worst(goal, budget, seed) for goal in (LEAST_ACCURACY, BACKDOOR)]
    harmed, opened, unattacked = (arena.confirmed(attack, seed) for attack in (*attacks, "none"))
    return TrainingVerdict(
        defence,
        case,
        budget,
        seed,
        attacks[0],
        harmed.accuracy,
        attacks[1],
        opened.success,
        unattacked.accuracy,
    )


def tried_again(arenas: Sequence[TrainingArena], attack: str, jobs: int) -> list[list[Outcome]]:
    """Return what an attack comes to in confirming runs of each arena, of which several are at once."""
    seeds = confirming_seeds(1)
    asked = [[arena.folder(attack, seed) for seed in seeds] for arena in arenas]
    for folder in (one for folders in asked for one in folders):
        folder.path.parent.mkdir(parents=True, exist_ok=True)
    failed = run_cells([folder for folders in asked for folder in folders], jobs)
    if failed:
        raise InvalidStudy(f"a run failed, see {failed[0].log}")
    return [[_outcome(arena.folder(attack, seed)) for seed in seeds] for arena in arenas]


def _outcome(folder: CellFolder) -> Outcome:
    summary = folder.run.summary
    balanced = summary.test_balanced_accuracy
    accuracy = summary.test_accuracy if np.isnan(balanced) else balanced
    return Outcome(float(accuracy), float(summary.attack_success_rate))
