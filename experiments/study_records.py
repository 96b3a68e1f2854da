"""What a study's finished cells recorded, as tables over all of them."""

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
"""What a run's summary holds of its last round, and of the judgement over all rounds."""

METHOD = "method"
"""Column that names how a cell aggregates, as the paper's figures do."""


def finished_cells(folders: Sequence[CellFolder]) -> pd.DataFrame:
    """Return one row for each finished cell: what varies, its seed, and its summary's measures."""
    rows = []
    for folder in folders:
        if folder.finished:
            summary = json.loads((folder.path / "summary.json").read_text())
            measures = {name: summary[name] for name in MEASURES}
            rows.append({**folder.cell.varied, "seed": folder.cell.config.seed, **measures})
    return pd.DataFrame(rows)


def rounds_of(folders: Sequence[CellFolder]) -> pd.DataFrame:
    """Return all rounds of all finished cells, each with its cell's settings and method.

    Returns
    -------
    DataFrame
        The columns of ``rounds.csv``; before them every setting under its name in the run config, and
        ``method``.
    """
    tables = []
    for folder in folders:
        if folder.finished:
            rounds = pd.read_csv(folder.path / "rounds.csv")
            settings = folder.cell.config.as_settings() | {METHOD: method_of(folder)}
            tables.append(pd.DataFrame({**settings}, index=rounds.index).join(rounds))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def method_of(folder: CellFolder) -> str:
    """Return the paper's name for how a cell aggregates: vanilla FL, vanilla BRFL or PAwBRoFL."""
    config = folder.cell.config
    robust = config.aggregator != "mean"
    if not config.performance_aware:
        return "vanilla BRFL" if robust else "vanilla FL"
    return f"{'PAwBRoFL' if robust else 'PA-FL'} mu={config.mu:g}"
