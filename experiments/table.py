"""A study's finished cells as a table: what the last round's model achieves, by what varies."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from .runner import CellFolder

MEASURES = (
    "test_accuracy",
    "attack_success_rate",
    "largest_benign_gap",
    "largest_gap",
    "precision",
    "recall",
    "malicious_weight",
)


def finished_cells(folders: Sequence[CellFolder]) -> pd.DataFrame:
    """Return one row for each finished cell: what varies, its seed, and its summary's measures."""
    rows = []
    for folder in folders:
        if folder.finished:
            summary = json.loads((folder.path / "summary.json").read_text())
            measures = {name: summary[name] for name in MEASURES}
            rows.append({**folder.cell.varied, "seed": folder.cell.config.seed, **measures})
    return pd.DataFrame(rows)


def over_seeds(cells: pd.DataFrame, varied: Sequence[str]) -> pd.DataFrame:
    """Return mean and standard deviation over the seeds, in the study's order.

    Returns
    -------
    DataFrame
        The varied settings, ``seeds`` (how many), and each measure's mean; with more than one seed
        its standard deviation as well, as ``<measure>_std``.
    """
    groups = cells.groupby(list(varied), sort=False, dropna=False)
    table = groups[list(MEASURES)].mean()
    table.insert(0, "seeds", groups.size())
    if cells["seed"].nunique() > 1:
        for name in MEASURES:
            table[f"{name}_std"] = groups[name].std()
    return table.reset_index()


def as_markdown(table: pd.DataFrame) -> str:
    """Return a table of means, with standard deviations behind a plus-minus sign, as Markdown."""
    columns = [name for name in table.columns if not name.endswith("_std")]
    lines = ["| " + " | ".join(name.replace("_", " ") for name in columns) + " |"]
    lines.append("|" + "---|" * len(columns))
    for _, row in table.iterrows():
        lines.append("| " + " | ".join(_shown(row, name) for name in columns) + " |")
    return "\n".join(lines)


def _shown(row: pd.Series, name: str) -> str:
    value = row[name]
    if name not in MEASURES:
        return str(value).lower() if isinstance(value, bool) else str(value)
    if pd.isna(value):
        return ""
    spread = row.get(f"{name}_std")
    return f"{value:.4f}" if spread is None or pd.isna(spread) else f"{value:.4f} ± {spread:.4f}"
