"""Compare weightings where some honest clients send the same, beside attackers who may agree.

    python -m experiments.estimators.honest_duplicates

A few honest clients train on the same samples with the same seed, or train nothing, beside every attack
of `scenarios.ATTACKS` and attackers who copy an honest client, over kinds of honest noise. The error is
in units of what the plain mean of the honest clients is expected to miss.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
import pandas as pd

from strategies.arrays import FloatArray
from strategies.weightings import CoalitionFiltering, Filtering, Mean, NoRegret
from strategies.weightings.weighting import Weighting

from ..grid.markdown import markdown_table
from .scenarios import ATTACKS, NOISE, honest_updates, sampling_noise

FEDERATIONS = ((20, 4), (20, 8), (40, 8))
"""Clients, and attackers among them."""
DUPLICATES = (0, 3, 5, 6)
"""How many honest clients send the same."""
COORDINATES = 300


def weightings(epsilon: float) -> dict[str, Weighting]:
    """Return those that merge duplicates, and the mean."""
    return {
        "mean": Mean(),
        "default": CoalitionFiltering(epsilon),
        "no-regret": NoRegret(epsilon),
        "filtering": Filtering(epsilon),
    }


def updates_of(
    m: int, f: int, noise: str, attack: str, same: int, trained: bool, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Return the honest clients' updates, and all clients'."""
    random = np.random.default_rng([seed, m, f, list(NOISE).index(noise)])
    honest = honest_updates(noise, m - f, COORDINATES, random)
    honest[:same] = honest[0] if trained else 0.0
    rows = np.tile(honest[-1], (f, 1)) if attack == "copy" else ATTACKS[attack](honest, f, random)
    return honest, np.vstack([honest, rows])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="draws of each case")
    options = parser.parse_args()
    rows = []
    for (m, f), noise, attack, same, trained, seed in itertools.product(
        FEDERATIONS, NOISE, (*ATTACKS, "copy"), DUPLICATES, (True, False), range(options.seeds)
    ):
        honest, updates = updates_of(m, f, noise, attack, same, trained, seed)
        mean = honest.mean(axis=0)
        unit = sampling_noise(honest)
        for name, weighting in weightings(f / m).items():
            error = float(np.linalg.norm(weighting(updates @ updates.T) @ updates - mean))
            rows.append({"same": same, "weighting": name, "error": error / unit})
    errors = pd.DataFrame(rows).groupby(["weighting", "same"], sort=False)["error"]
    columns = {
        f"{title}, {same} the same": values[same]
        for title, values in (("mean", errors.mean().unstack()), ("worst", errors.max().unstack()))
        for same in DUPLICATES
    }
    table = pd.DataFrame(columns).loc[list(weightings(0.2))]
    print(markdown_table(table.reset_index(names="weighting"), digits=2))


if __name__ == "__main__":
    main()
