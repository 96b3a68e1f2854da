"""A run in a few lines: what the final model achieves, and who was judged malicious against who was."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from strategies.repeatedly_left_out import EITHER, Judged, LeftOut, Streaks, after_round, in_words
from strategies.repeatedly_left_out import repeatedly_left_out as repeated_among

from ..settings.run_config import RunConfig
from ..tasks.task import Subgroup
from .csv_table import columns_of, values_of
from .fairness import Fairness
from .groups import GroupMeasures
from .personal_model_measures import PersonalModelMeasures

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunSummary:
    """What to compare runs by. A new measure is a new field here, which `of` computes.

    Attributes
    ----------
    test_accuracy, attack_success_rate : float
        Of the final model.
    largest_honest_gap, largest_gap : float
        Largest reported optimality gap of the last round, over honest and over all clients.
    malicious, judged_malicious : list of str
        Who was malicious, and who was judged so in the last round.
    precision, recall : float
        Of that judgement over all clients and rounds; NaN where nobody was judged or was malicious.
    false_accusations : float
        Of the honest clients' replies in all rounds, the share that was judged malicious.
    honest_in_branches : float
        Of the honest clients' replies in all rounds, the share whose client was a member of a branch.
    malicious_weight : float
        The malicious clients' share of the final weights, on average over the rounds; NaN where the
        aggregation knows no weights.
    fairness : Fairness
        What the final model achieves on honest clients' own data; NaN where they were not asked.
    repeatedly_left_out : list of LeftOut
        Whom the weighting leaves out round after round until the end.
    minority : list of str
        The clients of the honest minority, if there is any.
    groups : GroupMeasures
        How majority and minority fare; NaN where there is no minority.
    personal : PersonalModelMeasures
        What personal models achieve; NaN where there are none.
    test_balanced_accuracy : float
        The mean over the classes, where they are uneven; else NaN.
    subgroups : list of Subgroup
        The final model's accuracy on those of the test samples that the data set apart.
    """

    test_accuracy: float
    attack_success_rate: float
    largest_honest_gap: float
    largest_gap: float
    malicious: list[str]
    judged_malicious: list[str]
    precision: float
    recall: float
    false_accusations: float
    honest_in_branches: float
    malicious_weight: float
    fairness: Fairness
    repeatedly_left_out: list[LeftOut]
    minority: list[str]
    groups: GroupMeasures
    personal: PersonalModelMeasures = PersonalModelMeasures()
    test_balanced_accuracy: float = math.nan
    subgroups: list[Subgroup] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        rounds: pd.DataFrame,
        clients: pd.DataFrame,
        groups: pd.DataFrame,
        malicious: Sequence[int],
        minority: Sequence[int] = (),
        personal: PersonalModelMeasures | None = None,
        subgroups: pd.DataFrame | None = None,
    ) -> RunSummary:
        """Summarise what was recorded, at least one round of it."""
        last = rounds.iloc[-1]
        final = clients[clients["round"] == clients["round"].max()]
        judged, truly = clients["judged_malicious"], clients["truly_malicious"]
        hits = float((judged & truly).sum())
        return cls(
            test_accuracy=float(last["test_accuracy"]),
            attack_success_rate=float(last["attack_success_rate"]),
            largest_honest_gap=float(last["largest_honest_gap"]),
            largest_gap=float(last["largest_gap"]),
            malicious=[str(client) for client in malicious],
            judged_malicious=[str(client) for client in final["client"][final["judged_malicious"]]],
            precision=hits / float(judged.sum()) if judged.any() else math.nan,
            recall=hits / float(truly.sum()) if truly.any() else math.nan,
            false_accusations=float(judged[~truly].mean()),
            honest_in_branches=float((clients["branch"][~truly] > 0).mean()),
            malicious_weight=_malicious_weight(clients),
            fairness=Fairness(**{name: float(last[name]) for name in columns_of(Fairness)}),
            repeatedly_left_out=_repeatedly_left_out(clients),
            minority=[str(client) for client in minority],
            groups=GroupMeasures.of(groups),
            personal=personal or PersonalModelMeasures(),
            test_balanced_accuracy=_known(float(last["test_balanced_accuracy"])),
            subgroups=_last_subgroups(subgroups),
        )

    @classmethod
    def from_json(cls, text: str) -> RunSummary:
        """Return the summary that `as_json` made and a file holds.

        Raises
        ------
        ValueError
            For anything else.
        """
        content = json.loads(text)
        try:
            optional = OF_MINORITY | OF_PERSONAL_MODELS | OF_UNEVEN_DATA
            content = dict.fromkeys(LATER) | content
            known = {name: content[name] for name in columns_of(cls) if name not in optional}
            known |= {name: content[name] for name in optional if name in content}
            read = _numbers(known)
            left_out = [LeftOut(**_numbers(one)) for one in read.pop("repeatedly_left_out")]
            read["subgroups"] = [Subgroup(**one) for one in read.get("subgroups", [])]
        except (KeyError, TypeError) as problem:
            raise ValueError(f"it is no summary: {problem}") from problem
        fairness = Fairness(**{name: read.pop(name) for name in columns_of(Fairness)})
        of_groups = {name: read.pop(name) for name in columns_of(GroupMeasures) if name in read}
        personal = {name: read.pop(name) for name in OF_PERSONAL_MODELS if name in read}
        read["minority"] = read.get("minority", [])
        return cls(
            **read,
            fairness=fairness,
            repeatedly_left_out=left_out,
            groups=GroupMeasures(**of_groups),
            personal=PersonalModelMeasures(**personal),
        )

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold: nested measures beside the others, None where unknown.

        Of groups it says nothing where there is no minority, of personal models and subgroups where
        there are none, and of balanced accuracy where classes are even.
        """
        left_out = frozenset() if self.minority else OF_MINORITY
        left_out |= frozenset() if self.personal.known else OF_PERSONAL_MODELS
        left_out |= frozenset() if self.subgroups else {"subgroups"}
        left_out |= (
            {"test_balanced_accuracy"} if math.isnan(self.test_balanced_accuracy) else frozenset()
        )
        values = {name: value for name, value in values_of(self).items() if name not in left_out}
        values["repeatedly_left_out"] = [_finite(asdict(one)) for one in self.repeatedly_left_out]
        return _finite(values)

    @property
    def measures(self) -> dict[str, float]:
        """The value of each of `MEASURES`."""
        values = values_of(self)
        return {name: values[name] for name in MEASURES}

    def lines(self, config: RunConfig, folder: Path) -> list[str]:
        """Return the summary as lines for the log."""
        found, truth = _named(self.judged_malicious), _named(self.malicious)
        return [
            described(config),
            *self._accuracy_lines(),
            f"attack success rate    {self.attack_success_rate:.4f}",
            f"largest optimality gap {self.largest_honest_gap:.4f} of honest clients (of all, with what "
            f"malicious ones report: {self.largest_gap:.4f})",
            f"malicious clients      {truth}",
            *([f"minority clients       {_named(self.minority)}"] if self.minority else []),
            f"judged malicious       {found} (last round); over all rounds precision "
            f"{self.precision:.2f}, recall {self.recall:.2f}",
            f"malicious weight       {self.malicious_weight:.4f} of the final weights, over all rounds",
            *self._fairness_lines(),
            *self.personal.lines(),
            *self.groups.lines(),
            *self._left_out_lines(),
            f"results are in         {folder}",
        ]

    def _accuracy_lines(self) -> list[str]:
        balanced = self.test_balanced_accuracy
        of_classes = "" if math.isnan(balanced) else f", mean over the classes {balanced:.4f}"
        lines = [f"test accuracy          {self.test_accuracy:.4f}{of_classes}"]
        if self.subgroups:
            shown = ", ".join(f"{one.subgroup} {one.accuracy:.4f}" for one in self.subgroups)
            lines.append(f"accuracy of subgroups  {shown}")
        return lines

    def _fairness_lines(self) -> list[str]:
        fairness = self.fairness
        if math.isnan(fairness.honest_accuracy):
            return []
        return [
            f"honest clients         accuracy {fairness.honest_accuracy:.4f}, worst 10% of them "
            f"{fairness.worst_honest_accuracy:.4f}; loss {fairness.honest_loss:.4f}, worst 10% "
            f"{fairness.worst_honest_loss:.4f} (on their own data)"
        ]

    def _left_out_lines(self) -> list[str]:
        return [
            f"left out repeatedly    {line}; {EITHER}" for line in in_words(self.repeatedly_left_out)
        ]


def _named(clients: Sequence[str]) -> str:
    """Return clients in a line, so many of a thousand as one can read."""
    shown = ", ".join(clients[:MOST_NAMED]) or "nobody"
    more = len(clients) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _known(value: float) -> float:
    """Return a number, or the one NaN that is equal to itself where it is compared as a field."""
    return math.nan if math.isnan(value) else value


def _last_subgroups(subgroups: pd.DataFrame | None) -> list[Subgroup]:
    if subgroups is None or subgroups.empty:
        return []
    last = subgroups[subgroups["round"] == subgroups["round"].max()]
    return [
        Subgroup(str(row["subgroup"]), int(row["num_examples"]), float(row["accuracy"]))
        for row in last.to_dict("records")
    ]


def described(config: RunConfig) -> str:
    """Return in a line what a run is."""
    tilt = f"tilt mu {config.tilt.mu:g}" if config.tilt.performance_aware else "no tilt"
    return (
        f"{config.data.dataset}, {config.federation.num_clients} clients, "
        f"{config.federation.num_rounds} rounds, attack {config.threat.attack}, "
        f"{config.aggregation.aggregator}, {tilt}, seed {config.seed}"
    )


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in values.items()}


def _repeatedly_left_out(clients: pd.DataFrame) -> list[LeftOut]:
    streaks: Streaks = {}
    for server_round, rows in clients.groupby("round"):
        streaks = after_round(streaks, int(str(server_round)), cast(Iterable[Judged], rows.itertuples()))
    return repeated_among(streaks)


def _malicious_weight(clients: pd.DataFrame) -> float:
    weights = clients["weight"].groupby(clients["round"]).sum(min_count=1)
    malicious = clients["weight"].where(clients["truly_malicious"], 0.0).where(clients["weight"].notna())
    return float((malicious.groupby(clients["round"]).sum(min_count=1) / weights).mean())


MEASURES = tuple(name for name, kind in columns_of(RunSummary).items() if kind is float)
"""The names of a summary's numbers: of the last round, and of the judgement over all rounds."""

MOST_NAMED = 40
"""Clients in a line of the log."""

LATER = ("false_accusations", "honest_in_branches")
"""What earlier summaries lack."""

OF_MINORITY = frozenset({"minority", *columns_of(GroupMeasures)})
"""What a summary holds only where there is a minority."""

OF_UNEVEN_DATA = frozenset({"test_balanced_accuracy", "subgroups"})
"""What a summary holds only where classes are uneven, or the data have subgroups."""

OF_PERSONAL_MODELS = frozenset(columns_of(PersonalModelMeasures))
"""What a summary holds only where clients have personal models."""
