"""A study's finished cells as a table: what the last round's model achieves, by what varies."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import pandas as pd

from pawbrofl_app.records.summary import MEASURES

from .markdown import markdown_table


def over_seeds(cells: pd.DataFrame, varied: Sequence[str]) -> pd.DataFrame:
    """Return mean and standard deviation over the seeds, in the study's order.

    Parameters
    ----------
    cells : DataFrame
        As `finished_cells` returns it.
    varied : sequence of str
        The settings that the study varies.

    Returns
    -------
    DataFrame
        The varied settings, ``seeds`` (how many), and each measure's mean; with more than one seed
        its standard deviation as well, as ``<measure>_std``.
    """
    groups = cells.groupby(list(varied), sort=False, dropna=False)
    measures = [name for name in MEASURES if name in cells]
    table = groups[measures].mean()
    table.insert(0, "seeds", groups.size())
    if cells["seed"].nunique() > 1:
        for name in measures:
            table[f"{name}_std"] = groups[name].std()
    return table.reset_index()


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of means as texts, standard deviations behind a plus-minus sign."""
    columns = [name for name in table.columns if not name.endswith("_std")]
    rows = [{name: _shown(row, name) for name in columns} for row in table.to_dict("records")]
    return pd.DataFrame(rows, columns=columns).rename(columns=lambda name: name.replace("_", " "))


def as_markdown(table: pd.DataFrame) -> str:
    """Return a table of means as Markdown."""
    return markdown_table(as_text(table))


def _shown(row: Mapping[Hashable, object], name: str) -> str:
    value = row[name]
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    if name not in MEASURES:
        return str(value).lower() if isinstance(value, bool) else str(value)
    spread = row.get(f"{name}_std")
    is_spread = isinstance(spread, float) and not pd.isna(spread)
    return f"{value:.4f} ± {spread:.4f}" if is_spread else f"{value:.4f}"
