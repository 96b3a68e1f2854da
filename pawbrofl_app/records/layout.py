"""What a run's folder holds: the names of its files, and a row of each of its tables.

A row's fields are its table's columns, in their order; `Fairness`, `ClientEvaluation` and `Subgroup`
stand for their own fields. A new column is a new field here, which `RunWriter` fills.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..tasks.task import Subgroup
from .csv_table import Table
from .fairness import Fairness
from .groups import GroupRow

SETTINGS = "settings.toml"
VERSIONS = "versions.json"
MODEL = "model.pt"
MODEL_OF_BRANCH = "model-branch-{}.pt"
SUMMARY = "summary.json"
"""Written after all else, so it says that the run is finished."""

CHECKPOINTS = "checkpoints"
FIGURES = "figures"


@dataclass(frozen=True)
class RoundRow:
    """A round, where 0 is the initial model; gaps are NaN where nobody replied.

    The balanced accuracy is NaN where classes are even.
    """

    round: int
    test_accuracy: float
    test_loss: float
    test_balanced_accuracy: float
    attack_success_rate: float
    largest_gap: float
    largest_honest_gap: float
    fairness: Fairness
    training_seconds: float
    aggregation_seconds: float
    evaluation_seconds: float


@dataclass(frozen=True)
class ClientRow:
    """A client that was asked to train in a round: `ClientDiagnostics`, and who is malicious."""

    round: int
    client: str
    loss_gap: float
    robust_weight: float
    weight: float
    judged_malicious: bool
    truly_malicious: bool
    num_examples: int
    left_out: str
    branch: int = 0
    node: str = ""
    brought_back_by: str = ""


@dataclass(frozen=True)
class ClientEvaluation:
    """One client's evaluation of the global model, or of its personal one where it has one.

    Attributes
    ----------
    client : str
        Its partition id as it reports it, or else its node id.
    loss, accuracy : float
        On its own training data; NaN where the reply is left out.
    num_examples : int
        As reported; 0 where that is no whole number.
    left_out : str
        Why the reply tells nothing; empty where it does.
    test_accuracy : float
        Of a personal model on test images of the client's own kind; NaN where there is none.
    """

    client: str
    loss: float
    accuracy: float
    num_examples: int
    left_out: str = ""
    test_accuracy: float = math.nan


@dataclass(frozen=True)
class EvaluationRow:
    """A client that was asked to evaluate the model after a round."""

    round: int
    evaluation: ClientEvaluation
    truly_malicious: bool


@dataclass(frozen=True)
class SubgroupRow:
    """A subgroup of the test samples after a round."""

    round: int
    subgroup: Subgroup


ROUNDS = Table("rounds.csv", RoundRow)
CLIENTS = Table("clients.csv", ClientRow)
EVALUATIONS = Table("evaluations.csv", EvaluationRow)
GROUPS = Table("groups.csv", GroupRow)
SUBGROUPS = Table("subgroups.csv", SubgroupRow)
TABLES = (ROUNDS, CLIENTS, EVALUATIONS, GROUPS, SUBGROUPS)
SECONDS = [name for name in ROUNDS.columns if name.endswith("_seconds")]
"""The columns of `ROUNDS` that differ between two runs of the same settings."""
