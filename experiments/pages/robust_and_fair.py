"""The benchmark of robust and fair aggregation: its tables, and which of its aims are reached."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..grid.claims import mean_and_interval
from ..grid.markdown import markdown_table
from ..grid.study import HALF_OF_MINORITY
from .page import Page
from .robust_and_fair_aims import (
    ATTACKS,
    MEASURES,
    METHOD,
    MINORITIES,
    NOBODY,
    SETTING,
    aims_reached,
    aims_table,
)

CSV, FALSE_BRANCHES_CSV = "robust_and_fair.csv", "false_branches.csv"
AGGREGATORS = {
    "mean": "FedAvg",
    "q-ffl(q=1)": "q-FFL, q = 1",
    "q-ffl(q=5)": "q-FFL, q = 5",
    "afl": "AFL",
    "term": "TERM",
    "fed-mgda-plus": "FedMGDA+",
    "prop-fair": "PropFair",
    "multi-krum": "MultiKrum",
    "geometric-median": "geometric median",
    "filtering": "Filtering",
    "no-regret": "No-Regret",
    "coalition-filtering": "default",
}
TITLES = {
    "majority": "majority",
    "minority": "minority",
    "worst_honest": "worst 10%",
    "attack_success": "attack success",
    "false_accusations": "false accusations",
}


def compact(cells: pd.DataFrame) -> pd.DataFrame:
    """Return what is recorded of a study's runs: method, setting, seed and measures of each.

    Without a minority all honest clients are the majority, and its accuracy is the main model's.
    """
    # A study's table lacks what none of its runs knows: a run cut short may have come to no minority.
    unknown = {"majority_accuracy", "minority_accuracy", "personal_accuracy"} - set(cells)
    cells = cells.assign(**dict.fromkeys(unknown, np.nan))
    names = [_method(row) for row in cells.to_dict("records")]
    settings = np.where(cells["partition"] == "dirichlet", "dirichlet", cells["minority"])
    majority = cells["majority_accuracy"]
    for instead in ("personal_accuracy", "test_accuracy"):
        majority = majority.fillna(cells[instead])
    recorded = pd.DataFrame(
        {
            METHOD: names,
            SETTING: settings,
            "attack": cells["attack"],
            "seed": cells["seed"],
            "majority": majority,
            "minority": cells["minority_accuracy"],
            "worst_honest": cells["worst_honest_accuracy"],
            "attack_success": cells["attack_success_rate"],
            "false_accusations": cells["false_accusations"],
            "in_branches": cells["honest_in_branches"],
        }
    )
    return recorded.round(3)


def _method(row: dict[object, object]) -> str:
    """Return a method's name: the aggregator's, and what is added to it."""
    parts = [AGGREGATORS.get(str(row["aggregator"]), str(row["aggregator"]))]
    if row.get("performance-aware"):
        parts.append("scale-free tilt" if row.get("tilt") == "scale-free" else "tilt")
    if row.get("branches"):
        parts.append("branches")
    if row.get("vouched") == HALF_OF_MINORITY:
        parts.append("vouched")
    if str(row.get("personalization", "none")).startswith("ditto"):
        parts.append("Ditto")
    return " + ".join(parts)


def overview(runs: pd.DataFrame) -> str:
    """Return a row a method: means over all settings of a kind."""
    attacked, minority = runs["attack"] != "none", runs[SETTING].isin(MINORITIES)
    columns = {
        "IID, nobody": ("majority", (runs[SETTING] == NOBODY) & ~attacked),
        "minority alone": ("minority", minority & ~attacked),
        "minority, attacked": ("minority", minority & attacked),
        "majority beside a minority, attacked": ("majority", minority & attacked),
        "worst 10%, all settings": ("worst_honest", minority | ~minority),
        "attack success, all backdoors": (
            "attack_success",
            runs["attack"].isin(["dba", "stealthy-dba"]),
        ),
        "false accusations, nobody attacks": ("false_accusations", ~attacked),
    }
    seeds = [METHOD, "seed"]  # a mean for each, so that an interval is over seeds and not over settings
    means = {
        title: dict(iter(runs[where].groupby(seeds)[measure].mean().groupby(METHOD)))
        for title, (measure, where) in columns.items()
    }
    unknown = pd.Series(dtype=float)
    rows = [
        {METHOD: name}
        | {
            title: _with_interval(of_methods.get(name, unknown), 2)
            for title, of_methods in means.items()
        }
        for name in runs[METHOD].unique()
    ]
    return markdown_table(pd.DataFrame(rows))


def all_settings(runs: pd.DataFrame) -> str:
    """Return a folded table for each setting: a row for each method and attack."""
    blocks = []
    for setting, of_setting in runs.groupby(SETTING, sort=False):
        rows = []
        for (method, attack), part in of_setting.groupby([METHOD, "attack"], sort=False):
            row = {METHOD: method, "attack": ATTACKS[str(attack)]}
            for measure in MEASURES:
                row[TITLES[measure]] = _with_interval(part[measure], 3)
            rows.append(row)
        table = pd.DataFrame(rows)
        if setting not in MINORITIES:
            table = table.drop(columns=TITLES["minority"])
        title = MINORITIES.get(str(setting), str(setting))
        blocks.append(f"<details><summary>{title}</summary>\n\n{markdown_table(table)}\n\n</details>")
    return "\n\n".join(blocks)


def false_branches(runs: pd.DataFrame) -> str:
    """Return in how many runs without attack and without minority a branch opened."""
    opened = int((runs["honest_in_branches"] > 0).sum())
    accused = int((runs["false_accusations"] > 0).sum())
    return (
        f"In {opened} of {len(runs)} runs on even data, without any attack, a branch opened; in "
        f"{accused} an honest client was judged malicious in some round."
    )


def _with_interval(values: pd.Series[float], digits: int) -> str:
    """Return the mean, and half the width of its 95% interval over the seeds by Student's t."""
    mean, low, high = mean_and_interval(values)
    if np.isnan(mean):
        return ""
    shown = f"{mean:.{digits}f}"
    return shown if np.isnan(low) else f"{shown} ± {(high - low) / 2:.{digits}f}"


def _parts(recorded: Path) -> dict[str, str]:
    runs = pd.read_csv(recorded / CSV)
    chance = pd.read_csv(recorded / FALSE_BRANCHES_CSV)
    seeds = f"{runs['seed'].nunique()} seeds, {len(runs)} runs."
    return {
        "aims": aims_table(runs),
        "recommended": aims_reached(runs) + "\n\n" + false_branches(chance),
        "overview": f"{seeds}\n\n{overview(runs)}",
        "settings": all_settings(runs),
    }


PAGE = Page(
    "robust_and_fair.md",
    _parts,
    studies={"false-branches": FALSE_BRANCHES_CSV, "robust-and-fair": CSV},
    compact={CSV: compact},
)
