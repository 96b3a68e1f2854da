"""What one model would pay for leaving nobody out: the default weighting with bounded shares.

A study whose ``run`` names this module sets or varies ``bound`` beside the app's settings. It is an
experiment and no weighting of the library: docs/minorities.md says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from flwr.common import Context
from flwr.serverapp import Grid, ServerApp

from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.method import method_of
from pawbrofl_app.server_app import serve
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from strategies import Weighting
from strategies.arrays import FloatArray

from ..grid.markdown import markdown_table, mean_and_deviation

EXTRA_SETTINGS = {"bound": "0"}
CSV = "bounded_shares.csv"


@dataclass(frozen=True)
class BoundedShares(Weighting):
    """Gives back, to all whom a weighting leaves out, a share that moves the mean by a bounded length.

    They share it evenly. It is at most theirs in the plain mean, and moves the mean of those kept by at
    most ``bound`` standard errors of that mean.

    Parameters
    ----------
    weighting : Weighting
    bound : float
        c, above 0.
    """

    weighting: Weighting
    bound: float

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights; nobody's is 0 but where all are alike."""
        q = self.weighting(gramian)
        out = q == 0
        if not out.any():
            return q
        group = out / out.sum()
        apart = math.sqrt(max(float((group - q) @ gramian @ (group - q)), 0.0))
        spread = float(q @ np.diag(gramian)) - float(q @ gramian @ q)
        standard_error = math.sqrt(max(spread, 0.0) * float(q @ q))
        share = min(out.mean(), self.bound * standard_error / apart if apart else 1.0)
        weights: FloatArray = (1 - share) * q + share * group
        return weights


def check(extra: Mapping[str, str]) -> None:
    """Raise `InvalidSetting` for a bound that is no number of at least 0."""
    try:
        valid = 0 <= float(extra["bound"]) < math.inf
    except ValueError:
        valid = False
    if not valid:
        raise InvalidSetting(f"bound must be a number of at least 0, got {extra['bound']!r}")


def run(config: RunConfig, extra: Mapping[str, str]) -> None:
    """Run one federation in this process, with shares bounded by ``bound``; 0 for none."""
    bound, app = float(extra["bound"]), ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        settings = RunConfig.parse(context.run_config)
        method = method_of(settings)
        if bound and method.weighting is not None:
            method = replace(method, weighting=BoundedShares(method.weighting, bound))
        serve(grid, settings, method)

    run_in_this_process(config, app)


def bounded_shares_table(cells: pd.DataFrame) -> str:
    """Return means and deviations over the seeds as Markdown, a row for each way of aggregating."""
    measures = {"test_accuracy": "accuracy", "attack_success_rate": "attack success"}
    measures["malicious_weight"] = "malicious weight"
    rows = []
    for (aggregator, bound), part in cells.groupby(["aggregator", "bound"], sort=False):
        name = f"{aggregator}, bounded shares c = {bound:g}" if bound else str(aggregator)
        spread = {title: mean_and_deviation(part[measure]) for measure, title in measures.items()}
        rows.append({"aggregator": name, **spread})
    return markdown_table(pd.DataFrame(rows))
