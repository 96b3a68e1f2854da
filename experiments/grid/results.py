"""What a study's finished cells recorded, as tables over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from pawbrofl_app.records.csv_table import columns_of
from pawbrofl_app.records.fairness import Fairness
from pawbrofl_app.records.groups import GroupMeasures
from pawbrofl_app.records.personal_model_measures import PersonalModelMeasures
from pawbrofl_app.records.summary import MEASURES

from .cell_folder import CellFolder

METHOD = "method"
"""Column that names how a cell aggregates, as the paper's figures do."""


COMPARED = frozenset({"attack", "aggregator", "performance-aware", "mu", "seed"})
"""Settings that figures and verdicts compare; cells that differ in any other are not put together."""


def finished_cells(folders: Sequence[CellFolder], measures: Sequence[str] = MEASURES) -> pd.DataFrame:
    """Return one row for each finished cell: what varies, its seed, and measures of its summary.

    Without measures of fairness where no clients evaluated, of groups where there is no minority, and
    of balanced accuracy where classes are even.
    """
    rows = []
    for folder in folders:
        if folder.finished:
            seed = {"seed": folder.cell.config.seed}
            known = folder.run.summary.measures
            rows.append(folder.cell.varied | seed | {name: known[name] for name in measures})
    cells = pd.DataFrame(rows)
    kinds = (Fairness, GroupMeasures, PersonalModelMeasures)
    often_unknown = ["test_balanced_accuracy"] + [name for kind in kinds for name in columns_of(kind)]
    unknown = [name for name in often_unknown if name in cells and cells[name].isna().all()]
    return cells.drop(columns=unknown)


def rounds_of(folders: Sequence[CellFolder]) -> pd.DataFrame:
    """Return all rounds of all finished cells, each with its cell's settings and method.

    Returns
    -------
    DataFrame
        The columns of `RunFolder.rounds`; before them every setting under its name in the run config,
        and ``method``; behind them, where there is a minority, each group's accuracy as
        ``majority_accuracy`` and ``minority_accuracy``.
    """
    tables = []
    for folder in folders:
        if folder.finished:
            rounds = folder.run.rounds
            of_groups = folder.run.groups.pivot(index="round", columns="group", values="accuracy")
            rounds = rounds.join(of_groups.add_suffix("_accuracy"), on="round")
            tables.append(pd.DataFrame(settings_of(folder), index=rounds.index).join(rounds))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def settings_of(folder: CellFolder) -> dict[str, str | int | float | bool]:
    """Return all settings of a cell, under their names in the run config, and its method."""
    return {**folder.cell.config.as_settings(), **folder.cell.extra, METHOD: method_of(folder)}


def comparable(rounds: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield rounds of cells that differ in `COMPARED` only, and a name for each such part of a study.

    Parameters
    ----------
    rounds : DataFrame
        As `rounds_of` returns it: the columns before `METHOD` are settings.

    Yields
    ------
    name : str
        The data set, and every other setting that varies over the study with its value.
    part : DataFrame
    """
    settings = rounds.columns[: rounds.columns.get_loc(METHOD)]
    apart = [name for name in settings if name not in COMPARED]
    varying = [name for name in apart if name != "dataset" and rounds[name].nunique() > 1]
    for values, part in rounds.groupby(["dataset", *varying], sort=False):
        given = [f"{name}={value}" for name, value in zip(varying, values[1:], strict=True)]
        yield ", ".join([str(values[0]), *given]), part


def method_of(folder: CellFolder) -> str:
    """Return the paper's name for how a cell aggregates: vanilla FL, vanilla BRFL or PAwBRoFL."""
    config = folder.cell.config
    if not config.tilt.performance_aware:
        return "vanilla FL" if config.aggregation.aggregator == "mean" else "vanilla BRFL"
    return f"PAwBRoFL mu={config.tilt.mu:g}"
