"""The paper's claims, each tested on a study's runs: a paired difference over the seeds, and a verdict.

From section 5 of PAwBRoFL (Fernando, Xiong, Patel, Stoll):

- without attack, some mu are better than vanilla FL in early rounds;
- under DBA, small mu lose a little accuracy against vanilla BRFL;
- large mu equals vanilla BRFL;
- on Fashion-MNIST, attack success is lower for small mu.

The paper shows one run per curve. Here a difference counts where its 95% confidence interval over the
seeds leaves out zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import t as students_t

from .results import comparable

CONFIDENCE = 0.95
EARLY_ROUNDS = 5
MEASURES = {"test_accuracy": "accuracy", "attack_success_rate": "attack success rate"}
SAME = 0.005
"""Accuracies closer than that are called equal: half of the paper's reading error and less."""

Verdict = Literal["holds", "does not hold", "not decided"]
Runs = pd.DataFrame


@dataclass(frozen=True)
class Finding:
    """What a study says to one claim in one of its settings.

    Attributes
    ----------
    claim : str
    where : str
        Data set, attack and robust weighting.
    verdict : "holds", "does not hold" or "not decided"
    difference, low, high : float
        Mean paired difference over the seeds and its 95% confidence interval.
    seeds : int
    evidence : str
        What was compared with what.
    """

    claim: str
    where: str
    verdict: Verdict
    difference: float
    low: float
    high: float
    seeds: int
    evidence: str


def findings(rounds: pd.DataFrame) -> list[Finding]:
    """Test every claim in every setting of a study that has the runs for it.

    Parameters
    ----------
    rounds : DataFrame
        As `study_records.rounds_of` returns it.
    """
    found = []
    for name, part in comparable(rounds):
        tilts = part[part["performance-aware"]]
        for (attack, aggregator), tilted in tilts.groupby(["attack", "aggregator"], sort=False):
            plain = part[(part["attack"] == attack) & ~part["performance-aware"]]
            where = f"{name}, {'no attack' if attack == 'none' else attack}, {aggregator}"
            tested = (claim(tilted, plain, where) for claim in CLAIMS)
            found += [finding for finding in tested if finding is not None]
    return found


def early_accuracy(tilted: Runs, plain: Runs, where: str) -> Finding | None:
    """Compare the best mu with vanilla FL over the early rounds, without attack."""
    vanilla = plain[plain["aggregator"] == "mean"]
    if (tilted["attack"] != "none").any() or vanilla.empty:
        return None

    def early(runs: Runs) -> pd.Series:
        first = runs[runs["round"].between(1, EARLY_ROUNDS)]
        return first.groupby("seed")["test_accuracy"].mean()

    by_mu = {
        float(mu): early(tilted[tilted["mu"] == mu]) - early(vanilla) for mu in tilted["mu"].unique()
    }
    best = max(by_mu, key=lambda mu: by_mu[mu].mean())
    return _finding(
        "without attack, some mu is better than vanilla FL in early rounds",
        where,
        by_mu[best],
        lambda low, high: "does not hold" if high <= SAME else "holds" if low > 0 else "not decided",
        f"accuracy over rounds 1 to {EARLY_ROUNDS}, mu={best:g} (the best) minus vanilla FL; "
        f"better is by more than {SAME}",
    )


def small_mu_lowers(measure: str, claim: str, tilted: Runs, plain: Runs, where: str) -> Finding | None:
    """Compare a measure of the smallest mu with vanilla BRFL's under attack."""
    vanilla = _same_weighting(tilted, plain)
    if (tilted["attack"] == "none").any() or vanilla.empty:
        return None
    small = tilted[tilted["mu"] == tilted["mu"].min()]
    return _finding(
        claim,
        where,
        _last(small, measure) - _last(vanilla, measure),
        lambda low, high: "holds" if high < 0 else "does not hold" if low > 0 else "not decided",
        f"last round's {MEASURES[measure]}, mu={small['mu'].iloc[0]:g} minus vanilla BRFL",
    )


def large_mu_accuracy(tilted: Runs, plain: Runs, where: str) -> Finding | None:
    """Compare the largest mu's accuracy with vanilla BRFL's."""
    vanilla = _same_weighting(tilted, plain)
    if vanilla.empty or tilted["mu"].nunique() < 2:
        return None
    large = tilted[tilted["mu"] == tilted["mu"].max()]
    without = "vanilla FL" if tilted["aggregator"].iloc[0] == "mean" else "vanilla BRFL"
    return _finding(
        "large mu equals vanilla BRFL",
        where,
        _last(large, "test_accuracy") - _last(vanilla, "test_accuracy"),
        lambda low, high: (
            "holds"
            if max(-low, high) <= SAME
            else "does not hold"
            if low > SAME or high < -SAME
            else "not decided"
        ),
        f"last round's accuracy, mu={large['mu'].iloc[0]:g} minus {without}; equal is within {SAME}",
    )


CLAIMS: tuple[Callable[[Runs, Runs, str], Finding | None], ...] = (
    early_accuracy,
    partial(small_mu_lowers, "test_accuracy", "under attack, small mu loses a little accuracy"),
    large_mu_accuracy,
    partial(small_mu_lowers, "attack_success_rate", "attack success is lower for small mu"),
)


def mean_and_interval(values: pd.Series) -> tuple[float, float, float]:
    """Return the mean and its 95% confidence interval by Student's t; NaN bounds for one value."""
    known = values.to_numpy(dtype=np.float64)
    known = known[~np.isnan(known)]
    mean = float(known.mean()) if len(known) else float("nan")
    if len(known) < 2:
        return mean, float("nan"), float("nan")
    half = _quantile(len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return mean, mean - float(half), mean + float(half)


@cache
def _quantile(degrees_of_freedom: int) -> float:
    return float(students_t.ppf((1 + CONFIDENCE) / 2, degrees_of_freedom))


def _same_weighting(tilted: Runs, plain: Runs) -> Runs:
    same: Runs = plain[plain["aggregator"] == tilted["aggregator"].iloc[0]]
    return same


def _last(runs: Runs, measure: str) -> pd.Series:
    last = runs[runs["round"] == runs["num-rounds"]]
    return last.groupby("seed")[measure].mean()


def _finding(
    claim: str,
    where: str,
    differences: pd.Series,
    decide: Callable[[float, float], Verdict],
    evidence: str,
) -> Finding:
    paired = differences.dropna()
    mean, low, high = mean_and_interval(paired)
    verdict: Verdict = decide(low, high) if np.isfinite(low) else "not decided"
    return Finding(claim, where, verdict, mean, low, high, len(paired), evidence)
