"""Compare ways to choose f where a round's clients are drawn, more attackers than epsilon at times.

    python -m experiments.estimators.sampled_rounds

Of N clients a fifth attack, n are drawn for a round. `CoalitionFiltering` is told that f of the n may be
malicious: epsilon of them (rounded up), as many as look malicious ("auto"), or as many as a draw holds
with a probability of 90%, 95% or 99% (the tail of the hypergeometric distribution). The error is in
units of what the plain mean of the round's honest clients alone is expected to miss: 1 is the sampling
noise. Without an attack, it is what is paid for a larger f.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from strategies import robust_mean
from strategies.epsilon import Epsilon, max_malicious

from ..grid.markdown import markdown_table
from .scenarios import ATTACKS, NOISE, honest_updates, sampling_noise

EPSILON = 0.2
FEDERATIONS = ((10, 5), (20, 10), (50, 10), (100, 10), (100, 50), (10, 10), (20, 20), (100, 100))
COORDINATES = 300


def told(certainty: float, num_clients: int, drawn: int) -> Epsilon:
    """Return the epsilon of a round at which no more attackers are in it with that probability."""
    malicious = max_malicious(EPSILON, num_clients)
    tail = int(hypergeom(num_clients, malicious, drawn).ppf(certainty))
    return min(max(tail, max_malicious(EPSILON, drawn)), (drawn - 1) // 2) / drawn


CHOICES: Mapping[str, partial[Epsilon]] = {
    "90%": partial(told, 0.90),
    "95%": partial(told, 0.95),
    "99%": partial(told, 0.99),
}


def errors_of(
    num_clients: int, drawn: int, noise: str, attack: str, seed: int
) -> list[dict[str, object]]:
    """Return the error of every choice in one drawn round."""
    random = np.random.default_rng([seed, num_clients, drawn, list(NOISE).index(noise)])
    rows = honest_updates(noise, drawn, COORDINATES, random)
    malicious = max_malicious(EPSILON, num_clients)
    k = int(random.hypergeometric(malicious, num_clients - malicious, drawn))
    k = 0 if attack == "none" else min(k, drawn - 2)
    honest = rows[k:].copy()
    if k:
        rows[:k] = ATTACKS[attack](honest, k, random)
    updates = rows[random.permutation(drawn)].astype(np.float32)
    unit = sampling_noise(honest)
    epsilons: dict[str, Epsilon] = {"epsilon": EPSILON, "auto": "auto"}
    epsilons |= {name: choose(num_clients, drawn) for name, choose in CHOICES.items()}
    case = {"federation": f"{drawn} of {num_clients}", "noise": noise, "attack": attack, "malicious": k}
    table = []
    for name, epsilon in epsilons.items():
        mean = np.asarray(robust_mean(updates, epsilon=epsilon).mean, dtype=np.float64)
        error = float(np.linalg.norm(mean - honest.mean(axis=0))) / unit
        table.append(case | {"f": name, "error": min(error, 1e3)})
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="draws of each case")
    options = parser.parse_args()
    cases = itertools.product(FEDERATIONS, NOISE, ("none", *ATTACKS), range(options.seeds))
    errors = pd.DataFrame(
        row
        for (num_clients, drawn), noise, attack, seed in cases
        for row in errors_of(num_clients, drawn, noise, attack, seed)
    )
    for title, part in (
        ("mean error under attack", errors[errors["attack"] != "none"]),
        ("mean error without attack", errors[errors["attack"] == "none"]),
    ):
        table = part.pivot_table(index="federation", columns="f", values="error", sort=False)
        print(f"\n{title}\n\n{markdown_table(table.reset_index(), digits=2)}")
    attacked = errors[errors["attack"] != "none"].groupby("f")["error"]
    worst = pd.DataFrame(
        {
            "mean": attacked.mean(),
            "median": attacked.median(),
            "p90": attacked.quantile(0.9),
            "p99": attacked.quantile(0.99),
            "rounds above 3": attacked.apply(lambda error: (error > 3).mean()),
        }
    )
    print(f"\nover all rounds under attack\n\n{markdown_table(worst.reset_index(), digits=3)}")
    by_attack = errors.pivot_table(index="attack", columns="f", values="error", sort=False)
    print(f"\nmean error by attack\n\n{markdown_table(by_attack.reset_index(), digits=2)}")


if __name__ == "__main__":
    main()
