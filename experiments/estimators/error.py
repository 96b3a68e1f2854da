"""Compare the error of robust means over kinds of honest clients, attacks and malicious fractions.

    python -m experiments.estimators.error --csv errors.csv

The error is the distance from the honest clients' mean, in units of what the plain mean of honest
clients alone is expected to miss: 1 is the sampling noise. ByzFL's estimators take part where it is
installed (``pip install byzfl``).
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..grid.markdown import markdown_table
from .competitors import Estimator, others, ours
from .scenarios import ATTACKS, NOISE, honest_updates, sampling_noise


def errors_of(
    estimators: Mapping[str, Estimator],
    *,
    noise: str,
    attack: str,
    epsilon: float,
    size: tuple[int, int],
    seed: int,
) -> list[dict[str, object]]:
    """Return one row for each estimator on one set of updates; attack "none" leaves all honest."""
    m, d = size
    random = np.random.default_rng([seed, list(NOISE).index(noise), m, round(1000 * epsilon)])
    rows = honest_updates(noise, m, d, random)
    k = 0 if attack == "none" else round(epsilon * m)
    honest = rows[k:].copy()
    if k:
        rows[:k] = ATTACKS[attack](honest, k, random)
    updates = rows[random.permutation(m)].astype(np.float32)
    unit = sampling_noise(honest)
    table = []
    for name, estimate in estimators.items():
        started = time.perf_counter()
        mean = estimate(updates.copy(), epsilon)
        seconds = time.perf_counter() - started
        error = float(np.linalg.norm(mean - honest.mean(axis=0))) / unit
        case = {"noise": noise, "attack": attack, "epsilon": epsilon, "clients": m, "seed": seed}
        table.append({**case, "estimator": name, "error": error, "seconds": seconds})
    return table


def compare(
    estimators: Mapping[str, Estimator],
    *,
    attacks: Sequence[str],
    epsilons: Sequence[float],
    sizes: Sequence[tuple[int, int]],
    seeds: Sequence[int],
) -> pd.DataFrame:
    """Return the errors of all estimators in all cases, one row each."""
    cases = itertools.product(seeds, NOISE, ("none", *attacks), epsilons, sizes)
    return pd.DataFrame(
        row
        for seed, noise, attack, epsilon, size in cases
        for row in errors_of(
            estimators, noise=noise, attack=attack, epsilon=epsilon, size=size, seed=seed
        )
    )


def summary(errors: pd.DataFrame) -> pd.DataFrame:
    """Return each estimator's mean, 90th percentile and worst error, and the mean one without attack."""
    attacked = errors[errors["attack"] != "none"].groupby("estimator")["error"]
    without = errors[errors["attack"] == "none"].groupby("estimator")["error"]
    return pd.DataFrame(
        {
            "mean": attacked.mean(),
            "p90": attacked.quantile(0.9),
            "worst": attacked.max(),
            "without attack": without.mean(),
            "seconds": errors.groupby("estimator")["seconds"].median(),
        }
    ).sort_values("mean")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[30, 100])
    parser.add_argument("--coordinates", type=int, default=1000)
    parser.add_argument("--epsilons", type=float, nargs="+", default=[0.1, 0.2, 0.3, 0.4])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only-ours", action="store_true", help="leave the other projects out")
    parser.add_argument("--slow", action="store_true", help="ByzFL's CAF as well, seconds a call")
    parser.add_argument("--csv", type=Path, help="write every single error there")
    options = parser.parse_args()
    estimators = ours() if options.only_ours else {**ours(), **others(slow=options.slow)}
    if not options.only_ours and not any(name.startswith("byzfl") for name in estimators):
        print("byzfl is not installed: its estimators are left out", file=sys.stderr)
    errors = compare(
        estimators,
        attacks=list(ATTACKS),
        epsilons=options.epsilons,
        sizes=[(m, options.coordinates) for m in options.clients],
        seeds=range(options.seeds),
    )
    if options.csv:
        errors.to_csv(options.csv, index=False)
    print(markdown_table(summary(errors).reset_index(), digits=2))
    by_attack = errors.pivot_table(index="attack", columns="estimator", values="error")
    shown = by_attack[list(ours())].reset_index()
    print(f"\nmean error by attack\n\n{markdown_table(shown, digits=2)}")


if __name__ == "__main__":
    main()
