"""Draw how the error of each weighting grows with the true fraction of malicious clients, 0 to 0.5.

    python -m experiments.estimators.breakdown --out experiments/recorded/figures/breakdown.png

Each is told a fraction of 0.3, or the true one where that is larger (up to 0.49). The error, in units
of the sampling noise, is the mean over kinds of honest clients and attacks; a thin line is the worst.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from strategies import WEIGHTINGS, robust_mean

from ..grid.markdown import markdown_table
from .competitors import Estimator
from .error import errors_of
from .scenarios import ATTACKS, NOISE

FRACTIONS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
TOLD = 0.3
SIZE = (60, 1000)
ATTACKS_SHOWN = [name for name in ATTACKS if name != "far"]
"""Far updates break the plain mean without limit; they would set the scale of the figure."""


def errors_by_fraction(seeds: int) -> pd.DataFrame:
    """Return the errors of all weightings at all fractions, one row each."""
    rows = []
    for fraction, noise, attack, seed in itertools.product(
        FRACTIONS, NOISE, ATTACKS_SHOWN, range(seeds)
    ):
        told = min(max(TOLD, fraction), 0.49)
        if fraction == 0 and attack != ATTACKS_SHOWN[0]:
            continue
        found = errors_of(
            {name: _told(name, told) for name in WEIGHTINGS},
            noise=noise,
            attack="none" if fraction == 0 else attack,
            epsilon=fraction,
            size=SIZE,
            seed=seed,
        )
        rows += [{**row, "fraction": fraction} for row in found]
    return pd.DataFrame(rows)


def _told(method: str, epsilon: float) -> Estimator:
    return lambda x, _: np.asarray(robust_mean(x, method, epsilon).mean)


def draw(errors: pd.DataFrame) -> Figure:
    """Return the figure: mean errors, and the worst as thin lines."""
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    grouped = errors.groupby(["fraction", "estimator"])["error"]
    mean, worst = grouped.mean().unstack("estimator"), grouped.max().unstack("estimator")
    for j, name in enumerate(WEIGHTINGS):
        width = 2.5 if name == "coalition-filtering" else 1.5
        axes.plot(mean.index, mean[name], color=f"C{j}", linewidth=width, label=name)
        axes.plot(worst.index, worst[name], color=f"C{j}", linewidth=0.6, alpha=0.6)
    axes.set(xlim=(FRACTIONS[0], FRACTIONS[-1]), ylim=(0, 12))
    axes.set(xlabel="malicious fraction", ylabel="error (1 = sampling noise)")
    axes.set_title("Mean error (thin: worst) over kinds of honest clients and attacks")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure


def main() -> None:
    """Write the figure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("experiments/recorded/figures/breakdown.png"))
    options = parser.parse_args()
    errors = errors_by_fraction(options.seeds)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw(errors).savefig(options.out, dpi=130)
    mean = errors.pivot_table(index="fraction", columns="estimator", values="error")
    print(markdown_table(mean[list(WEIGHTINGS)].reset_index(), digits=2))


if __name__ == "__main__":
    main()
