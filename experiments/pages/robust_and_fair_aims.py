"""What a method must reach to be called robust and fair, asked of the benchmark's recorded runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..grid.markdown import markdown_table

METHOD, SETTING = "method", "setting"
MEASURES = ("majority", "minority", "worst_honest", "attack_success", "false_accusations")
NOBODY = "none"
MINORITIES = {
    "rotated": "turned by 90 degrees",
    "classes": "classes 8 and 9",
    "inverted": "inverted",
    "large": "four times as many samples",
}
HONEST_FLIP, LYING_FLIP = "label-flip", "label-flip+inflated-loss"
ATTACKS = {
    "none": "nobody",
    "dba": "DBA",
    "stealthy-dba": "stealthy DBA",
    HONEST_FLIP: "label flip",
    LYING_FLIP: "label flip, inflated reports",
    "alie": "ALIE",
}
BACKDOORS = ("dba", "stealthy-dba")
FEDAVG, ROBUST = "FedAvg", "default"
PEERS = (
    *(FEDAVG, "q-FFL, q = 1", "q-FFL, q = 5", "AFL", "TERM", "FedMGDA+", "PropFair", "FedAvg + Ditto"),
    *("MultiKrum", "geometric median", "Filtering", "No-Regret"),
)
"""Methods of others, as they are published."""

FALSE_REPORTS_COMPARED = ("q-FFL, q = 1", "q-FFL, q = 5", "AFL", "TERM")
RECOMMENDED = "default + tilt + branches"
"""What `PAwBRoFL(branches=2)` is."""


@dataclass(frozen=True)
class Check:
    """One number that an aim asks for.

    Attributes
    ----------
    where : str
        The setting, and the attack.
    what : str
        What is compared.
    value, bound : float
        Means over the seeds; at least the bound is wanted where ``at_least``, else at most.
    """

    where: str
    what: str
    value: float
    bound: float
    at_least: bool = True

    @property
    def is_known(self) -> bool:
        """Whether both are recorded."""
        return not (math.isnan(self.value) or math.isnan(self.bound))

    @property
    def holds(self) -> bool:
        """Whether it is reached."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True)
class Means:
    """Means over the seeds of a benchmark's measures, by method, setting and attack."""

    table: Mapping[Hashable, Mapping[Hashable, Any]]

    @classmethod
    def of(cls, runs: pd.DataFrame) -> Means:
        """Return those of all methods, settings and attacks."""
        means = runs.groupby([METHOD, SETTING, "attack"])[list(MEASURES)].mean()
        return cls(means.to_dict("index"))

    def get(self, method: str, setting: str, attack: str, measure: str) -> float:
        """Return one; NaN where it is not recorded."""
        return float(self.table.get((method, setting, attack), {}).get(measure, "nan"))

    def best_peer(self, setting: str, attack: str, measure: str) -> tuple[float, str]:
        """Return the best of `PEERS`, and which it is."""
        found = {peer: self.get(peer, setting, attack, measure) for peer in PEERS}
        known = {peer: value for peer, value in found.items() if value == value}
        best = max(known, key=lambda peer: known[peer], default="none")
        return known.get(best, float("nan")), best


def serves_a_minority(means: Means, method: str) -> Iterator[Check]:
    """Nobody attacks: as good as the best peer for the minority, as the robust weighting for others."""
    for setting, title in MINORITIES.items():
        best, peer = means.best_peer(setting, "none", "minority")
        value = means.get(method, setting, "none", "minority")
        yield Check(title, f"minority, best peer {peer} {best:.3f} - 0.02", value, best - 0.02)
        robust = means.get(ROBUST, setting, "none", "majority")
        value = means.get(method, setting, "none", "majority")
        yield Check(title, f"majority, robust weighting {robust:.3f} - 0.01", value, robust - 0.01)


def serves_it_under_attack(means: Means, method: str) -> Iterator[Check]:
    """Attackers too: the minority as under FedAvg without them, no backdoor in the main model."""
    for setting, title in MINORITIES.items():
        unattacked = means.get(FEDAVG, setting, "none", "minority")
        for attack, name in ATTACKS.items():
            if attack == "none":
                continue
            value = means.get(method, setting, attack, "minority")
            yield Check(f"{title}, {name}", "minority, FedAvg without attack", value, unattacked)
            if attack in BACKDOORS:
                success = means.get(method, setting, attack, "attack_success")
                yield Check(f"{title}, {name}", "attack success", success, 0.02, at_least=False)


def withstands_false_reports(means: Means, method: str) -> Iterator[Check]:
    """Liars: the worst-off honest clients lose little against no attackers, and by the lies alone."""
    for setting, title in {NOBODY: "no minority", **MINORITIES, "dirichlet": "Dirichlet 0.1"}.items():
        value = means.get(method, setting, LYING_FLIP, "worst_honest")
        for attack, instead in (("none", "without attack"), (HONEST_FLIP, "with honest reports")):
            other = means.get(method, setting, attack, "worst_honest")
            yield Check(title, f"worst 10%, {instead} {other:.3f} - 0.02", value, other - 0.02)


def costs_nothing_without_need(means: Means, method: str) -> Iterator[Check]:
    """Even data, nobody attacks: the plain mean's accuracy."""
    mean = means.get(FEDAVG, NOBODY, "none", "majority")
    value = means.get(method, NOBODY, "none", "majority")
    yield Check("no minority", f"accuracy, FedAvg {mean:.3f} - 0.005", value, mean - 0.005)


AIMS: dict[str, Callable[[Means, str], Iterator[Check]]] = {
    "honest minority, nobody attacks": serves_a_minority,
    "honest minority and attackers": serves_it_under_attack,
    "liars": withstands_false_reports,
    "no minority, nobody attacks": costs_nothing_without_need,
}


def aims_table(runs: pd.DataFrame) -> str:
    """Return how many of each aim's numbers every method reaches, the recommended one in bold."""
    means = Means.of(runs)
    rows = []
    for method in runs[METHOD].unique():
        row: dict[str, object] = {METHOD: f"**{method}**" if method == RECOMMENDED else method}
        for title, checks in AIMS.items():
            known = [check for check in checks(means, method) if check.is_known]
            row[title] = f"{sum(check.holds for check in known)} of {len(known)}"
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def aims_reached(runs: pd.DataFrame) -> str:
    """Return each aim with what the recommended method reaches, and all its numbers."""
    means, blocks = Means.of(runs), [f"Recommended: **{RECOMMENDED}**."]
    for title, checks in AIMS.items():
        known = [check for check in checks(means, RECOMMENDED) if check.is_known]
        missed = sum(not check.holds for check in known)
        verdict = "**reached**" if not missed else f"**not reached** in {missed} of {len(known)}"
        table = pd.DataFrame(
            {
                "where": [check.where for check in known],
                "wanted": [
                    f"{check.what}: {'at least' if check.at_least else 'at most'} {check.bound:.3f}"
                    for check in known
                ],
                "found": [f"{check.value:.3f}" for check in known],
                "": ["reached" if check.holds else "**not reached**" for check in known],
            }
        )
        blocks.append(f"{title[0].upper()}{title[1:]}: {verdict}.\n\n{markdown_table(table)}")
    blocks.append(_what_lies_cost(means))
    return "\n\n".join(blocks)


def _what_lies_cost(means: Means) -> str:
    """Return what the worst 10% lose where attackers lie, for the recommended method and the peers."""
    rows = []
    for method in (RECOMMENDED, *FALSE_REPORTS_COMPARED):
        row: dict[str, object] = {METHOD: method}
        for attack in ("none", HONEST_FLIP, LYING_FLIP):
            row[ATTACKS[attack]] = means.get(method, NOBODY, attack, "worst_honest")
        rows.append(row)
    return f"What lies cost the worst 10%, without a minority:\n\n{markdown_table(pd.DataFrame(rows))}"
