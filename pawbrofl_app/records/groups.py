"""How each group of honest clients fares where there is a minority: a row a round, and the whole run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from strategies.branch_state import MAIN
from strategies.diagnostics import ClientDiagnostics

from ..tasks.minorities import MAJORITY, MINORITY
from .fairness import Fairness

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class GroupRow:
    """A group of honest clients in a round, where 0 is the initial model.

    Attributes
    ----------
    round : int
    group : str
        "majority" or "minority".
    accuracy : float
        On test images of the group's own kind; the mean over its clients that trained, each under the
        model of the branch that it was a member of. Without branches that is the global model. With
        personal models, the mean over its clients that evaluated, each under its own; NaN for nobody.
    worst_accuracy : float
        On their own data, over the worst 10% of the group's clients; NaN where none evaluated.
    weight : float
        The group's share of the final weights; NaN where nobody of it replied.
    judged_malicious : float
        The share of the group's clients, of those that replied, that were judged malicious.
    """

    round: int
    group: str
    accuracy: float
    worst_accuracy: float
    weight: float
    judged_malicious: float


@dataclass(frozen=True)
class Groups:
    """The groups of a run's honest clients, by name.

    Attributes
    ----------
    members : mapping of str to collection of str
        Empty where the run has no minority.
    """

    members: Mapping[str, Collection[str]]

    @classmethod
    def of(cls, honest: Collection[str], minority: Collection[str]) -> Groups:
        """Return those of a run; none without a minority."""
        return cls({MAJORITY: set(honest) - set(minority), MINORITY: minority} if minority else {})

    def rows(
        self,
        server_round: int,
        accuracies: Mapping[int, Mapping[str, float]],
        trained: Sequence[ClientDiagnostics],
        evaluated: Mapping[str, float],
        personal: Mapping[str, float] | None = None,
    ) -> list[GroupRow]:
        """Return a row for each group.

        Parameters
        ----------
        server_round : int
        accuracies : mapping of int to mapping of str to float
            Of each model, by the number of its branch (0 for the global one), on each group's images.
        trained : sequence of ClientDiagnostics
            Those whose replies arrived in the round.
        evaluated : mapping of str to float
            The accuracies of honest clients that evaluated after it, by client.
        personal : mapping of str to float, optional
            Those of their personal models on test images of their own kind; None where there are none.
        """
        rows = []
        for group, members in self.members.items():
            own = [client for client in trained if client.client in members]
            accuracy_of_members = [evaluated[client] for client in evaluated if client in members]
            if personal is None:
                accuracy = _under_own_model(group, accuracies, own)
            else:
                of_members = [personal[client] for client in personal if client in members]
                accuracy = Fairness.of(of_members, of_members).honest_accuracy
            rows.append(
                GroupRow(
                    round=server_round,
                    group=group,
                    accuracy=accuracy,
                    worst_accuracy=Fairness.of(
                        accuracy_of_members, accuracy_of_members
                    ).worst_honest_accuracy,
                    weight=_share(sum(one.weight for one in own), sum(one.weight for one in trained)),
                    judged_malicious=_share(sum(one.judged_malicious for one in own), len(own)),
                )
            )
        return rows


@dataclass(frozen=True)
class GroupMeasures:
    """What the groups come to: accuracies of the final models, weight and judgement over all rounds.

    All are NaN where the run has no minority; those of a column of `GroupRow` where it is.
    """

    majority_accuracy: float = math.nan
    minority_accuracy: float = math.nan
    worst_majority_accuracy: float = math.nan
    worst_minority_accuracy: float = math.nan
    majority_weight: float = math.nan
    minority_weight: float = math.nan
    majority_judged_malicious: float = math.nan
    minority_judged_malicious: float = math.nan

    @classmethod
    def of(cls, groups: pd.DataFrame) -> GroupMeasures:
        """Return the measures of a table of `GroupRow`, which may be empty."""
        measures: dict[str, float] = {}
        for name, rows in groups.groupby("group"):
            last = rows.iloc[-1]
            measures[f"{name}_accuracy"] = float(last["accuracy"])
            measures[f"worst_{name}_accuracy"] = float(last["worst_accuracy"])
            for column in ("weight", "judged_malicious"):
                measures[f"{name}_{column}"] = float(rows[column].mean())
        return cls(**measures)

    @property
    def has_minority(self) -> bool:
        """Whether the run has one."""
        return not all(math.isnan(getattr(self, field.name)) for field in fields(self))

    def lines(self) -> list[str]:
        """Return a line for each group; none without a minority."""
        return [self._line(group) for group in (MAJORITY, MINORITY) if self.has_minority]

    def _line(self, group: str) -> str:
        value = {field.name: getattr(self, field.name) for field in fields(self)}
        worst = value[f"worst_{group}_accuracy"]
        own = "" if math.isnan(worst) else f", worst 10% on their own data {worst:.4f}"
        return (
            f"{f'honest {group}':<22} accuracy {value[f'{group}_accuracy']:.4f} on images of their kind"
            f"{own}; {value[f'{group}_weight']:.4f} of the final weights, judged malicious "
            f"{value[f'{group}_judged_malicious']:.2f}, over all rounds"
        )


def _under_own_model(
    group: str, accuracies: Mapping[int, Mapping[str, float]], clients: Sequence[ClientDiagnostics]
) -> float:
    branches = [client.branch if client.branch in accuracies else MAIN for client in clients] or [MAIN]
    counts = Counter(branches)
    if len(counts) == 1:
        return accuracies[branches[0]][group]
    return sum(accuracies[branch][group] * count for branch, count in counts.items()) / len(branches)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
